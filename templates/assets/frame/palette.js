// Ctrl-K, on a Mac ⌘K: the issues, projects, pages and actions within reach, found by a few letters.
//
// It lists what the document already holds: menus, navigation, and elements with a shortcut; before anything is typed, the
// issues opened last in this browser. Issues are looked up on the server, by short id or words. What comes from there is
// added below, so nothing moves under the cursor.

const SOURCES = ".project-list a, .rail a, .rail .pop button:not([hidden]), .settings-nav a, .tabs a, [data-key]";
const NOT_PART_OF_A_NAME = "svg, input, select, kbd, .hide, .count, .rail-count, .menu-count, .tab-count";
const LOOK_UP_AFTER_MS = 150;
const RECENT = "bloop-recent";
const RECENT_MAX = 8;

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
    if (name && !element.disabled && !element.matches("[data-palette-open]") && !byName.has(name)) byName.set(name, element);
  }
  return [...byName].map(([name, element]) => ({ name, element, key: element.dataset.key ?? "" }));
}

// Every word that was typed begins a word of the name.
function matches(name, typed) {
  const words = name.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return typed.toLowerCase().split(/\s+/).every((part) => words.some((word) => word.startsWith(part)));
}

// Issues opened last ----------------------------------------------------------------------------------------------------

function recentIssues() {
  try {
    return JSON.parse(localStorage.getItem(RECENT)) ?? [];
  } catch {
    return []; // storage is blocked
  }
}

function rememberIssue() {
  const short_id = /^\/issues\/([^/]+-[0-9]+)(\/|$)/.exec(decodeURI(location.pathname))?.[1];
  const title = document.querySelector("main h1")?.textContent.replace(/\s+/g, " ").trim();
  if (!short_id || !title) return;
  const others = recentIssues().filter((issue) => issue.short_id !== short_id);
  const issue = { short_id, title: title.slice(0, 160), href: `/issues/${encodeURIComponent(short_id)}` };
  try {
    localStorage.setItem(RECENT, JSON.stringify([issue, ...others].slice(0, RECENT_MAX)));
  } catch {
    // storage is blocked or full: the palette begins with the pages
  }
}

const entryOf = ({ short_id, title, href }) => ({ name: title, code: short_id, href });

function searchesFor(typed) {
  const scope = document.querySelector("[data-search-href]")?.dataset.searchHref ?? "/search";
  const linkTo = (path) => {
    const url = new URL(scope, location);
    url.pathname = path;
    url.searchParams.set("q", typed);
    if (path === "/") url.searchParams.set("tab", "all");
    return url.pathname + url.search;
  };
  return [
    { name: `Search events: ${typed}`, href: linkTo("/search") },
    { name: `Search issues: ${typed}`, href: linkTo("/") },
  ];
}

// The dialog ------------------------------------------------------------------------------------------------------------

function optionOf({ name, code, key = "" }, index) {
  const option = document.createElement("li");
  option.id = `palette-${index}`;
  option.setAttribute("role", "option");
  if (code) option.append(Object.assign(document.createElement("code"), { textContent: code }));
  option.append(Object.assign(document.createElement("bdi"), { className: "clip", textContent: name }));
  if (key) {
    const caps = document.createElement("span");
    for (const cap of key.split(" ")) caps.append(Object.assign(document.createElement("kbd"), { textContent: cap }), " ");
    option.append(caps);
  }
  return option;
}

function open() {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog palette";
  dialog.setAttribute("aria-label", "Find an issue, a page or an action");
  dialog.innerHTML =
    '<input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" ' +
    'aria-label="Issue, project, page or action" placeholder="Issue, project, page or action" autocomplete="off" ' +
    'spellcheck="false" maxlength="500">' +
    '<ul id="palette-list" role="listbox" aria-label="Found"></ul><p class="aside" role="status"></p>';
  const [input, list, status] = dialog.children;
  const all = offered();
  let found = [];
  let chosen = 0;
  let isMoved = false; // by hand: then it stays on its option
  let timer;
  let asking = new AbortController();

  const choose = (index) => {
    chosen = Math.min(Math.max(index, 0), found.length - 1);
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", found.length ? `palette-${chosen}` : "");
  };
  const fill = (entries) => {
    found = entries;
    list.replaceChildren(...found.map(optionOf));
  };
  const lookUp = async (typed) => {
    asking = new AbortController();
    let issues = [];
    try {
      const answer = await fetch(`/search/issues?q=${encodeURIComponent(typed)}`, { signal: asking.signal });
      if (answer.ok) ({ issues } = await answer.json());
    } catch {
      return; // another letter was typed, or the server is away: the searches stay on offer
    }
    const at = found.length - 2; // above the two searches
    fill([...found.slice(0, at), ...issues.map(entryOf), ...found.slice(at)]);
    status.textContent = at || issues.length ? "" : "No matches";
    choose(isMoved && chosen >= at ? chosen + issues.length : chosen);
  };
  const show = () => {
    const typed = input.value.trim();
    clearTimeout(timer);
    asking.abort();
    status.textContent = "";
    isMoved = false;
    if (!typed) fill([...recentIssues().map(entryOf), ...all]);
    else {
      fill([...all.filter(({ name }) => matches(name, typed)), ...searchesFor(typed)]);
      timer = setTimeout(() => lookUp(typed), LOOK_UP_AFTER_MS);
    }
    choose(0);
  };
  const run = (entry) => {
    dialog.close(); // focus returns to where it was; the action may move it
    if (entry?.href) location.assign(entry.href);
    else if (entry?.element.matches("input")) entry.element.focus();
    else entry?.element.click();
  };

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      isMoved = true;
      choose(chosen + step);
    } else if (event.key === "Enter" && !event.isComposing) run(found[chosen]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) run(found[[...list.children].indexOf(option)]);
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    asking.abort();
    dialog.remove();
  });
  document.body.append(dialog);
  show();
  dialog.showModal();
}

document.querySelectorAll("[data-palette-open]").forEach((link) => {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
    event.preventDefault();
    open();
  });
});
document.addEventListener("bloop:palette", (event) => {
  event.preventDefault(); // taken: the browser does nothing with it
  open();
});
rememberIssue();
