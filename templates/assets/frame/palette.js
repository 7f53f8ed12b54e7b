// Ctrl-K, on a Mac ⌘K: the projects, pages and actions that this page offers, found by a few letters.
//
// It lists what the document already holds: menus, navigation, and elements with a shortcut. Nothing is fetched.

const SOURCES = ".project-list a, .rail a, .rail .pop button:not([hidden]), .settings-nav a, .tabs a, [data-key]";
const NOT_PART_OF_A_NAME = "svg, input, select, kbd, .hide, .count, .rail-count, .menu-count, .tab-count";

function nameOf(element) {
  if (element.dataset.label) return element.dataset.label;
  const copy = (element.labels?.[0] ?? element).cloneNode(true);
  copy.querySelectorAll(NOT_PART_OF_A_NAME).forEach((part) => part.remove());
  const name = copy.textContent.replace(/\s+/g, " ").trim();
  return element.closest(".project-list") ? `Project: ${name}` : name;
}

function offered() {
  const byName = new Map();
  for (const element of document.querySelectorAll(SOURCES)) {
    const name = nameOf(element);
    if (name && !element.disabled && !byName.has(name)) byName.set(name, element);
  }
  return [...byName].map(([name, element]) => ({ name, element, key: element.dataset.key ?? "" }));
}

// Every word that was typed begins a word of the name.
function matches(name, typed) {
  const words = name.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return typed.toLowerCase().split(/\s+/).every((part) => words.some((word) => word.startsWith(part)));
}

function optionOf({ name, key }, index) {
  const option = document.createElement("li");
  option.id = `palette-${index}`;
  option.setAttribute("role", "option");
  option.append(name);
  for (const cap of key.split(" ").filter(Boolean)) {
    const kbd = document.createElement("kbd");
    kbd.textContent = cap;
    option.append(" ", kbd);
  }
  return option;
}

function open() {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog palette";
  dialog.setAttribute("aria-label", "Find a page or an action");
  dialog.innerHTML =
    '<input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" ' +
    'aria-label="Project, page or action" placeholder="Project, page or action" autocomplete="off" spellcheck="false">' +
    '<ul id="palette-list" role="listbox" aria-label="Found"></ul><p class="aside" role="status"></p>';
  const [input, list, status] = dialog.children;
  const all = offered();
  let found = [];
  let chosen = 0;

  const choose = (index) => {
    chosen = Math.min(Math.max(index, 0), found.length - 1);
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", found.length ? `palette-${chosen}` : "");
  };
  const show = () => {
    found = all.filter(({ name }) => matches(name, input.value.trim()));
    list.replaceChildren(...found.map(optionOf));
    status.textContent = found.length ? "" : "No matches";
    choose(0);
  };
  const run = (entry) => {
    dialog.close(); // focus returns to where it was; the action may move it
    if (entry?.element.matches("input")) entry.element.focus();
    else entry?.element.click();
  };

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) choose(chosen + step);
    else if (event.key === "Enter" && !event.isComposing) run(found[chosen]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) run(found[[...list.children].indexOf(option)]);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show();
  dialog.showModal();
}

document.querySelectorAll("[data-palette-open]").forEach((button) => {
  button.addEventListener("click", open);
  button.hidden = false;
});
document.addEventListener("bloop:palette", (event) => {
  event.preventDefault(); // taken: the browser does nothing with it
  open();
});
