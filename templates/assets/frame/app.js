// What pages gain from JavaScript. Everything else works without; controls that need it start hidden.

// How the pages look is a cookie (site/look.py), so that the server's first paint is right.

const LOOKS = { theme: ["auto", "light", "dark"], rail: ["wide", "small"] };

function changeLook(name) {
  const { dataset } = document.documentElement;
  const values = LOOKS[name];
  const value = values[(values.indexOf(dataset[name] ?? values[0]) + 1) % values.length];
  if (value === values[0]) delete dataset[name];
  else dataset[name] = value;
  const chosen = ["theme", "rail", "rows", "keys"].filter((key) => dataset[key]).map((key) => `${key}.${dataset[key]}`);
  document.cookie = `bloop_look=${chosen.join("_")}; SameSite=Lax; Path=/; Max-Age=${chosen.length ? 31536000 : 0}`;
  return value;
}

function attachTheme(button) {
  const name = button.querySelector("[data-theme-name]");
  const show = (theme) => (name.textContent = theme[0].toUpperCase() + theme.slice(1));
  button.addEventListener("click", () => show(changeLook("theme")));
  show(document.documentElement.dataset.theme ?? "auto");
  button.hidden = false;
}

function attachRail(button) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    button.querySelector(".label").textContent = changeLook("rail") === "small" ? "Expand" : "Collapse";
  });
}

function attachCopy(button) {
  if (!navigator.clipboard) return; // plain http: the text can still be selected
  const source = document.querySelector(button.dataset.copy);
  const label = button.querySelector("span");
  const words = label.textContent;
  let timer;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Not allowed";
    }
    clearTimeout(timer);
    timer = setTimeout(() => (label.textContent = words), 1500);
  });
  button.hidden = false;
}

// A changed select applies at once; the URL stays short because empty fields do not travel.
function attachFilters(form) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      const isDefault = field.value === "" || (field.name === "sort" && field.value === "last_seen");
      if (field.name && isDefault) field.disabled = true;
    }
  });
  addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false; // restored from the back/forward cache
  });
}

// A menu closes on Escape and on a click elsewhere, and gives the focus back.
function attachMenu(menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// A long menu is narrowed by typing.
function attachFilterable(menu) {
  const input = menu.querySelector("[data-filter]");
  const lines = [...menu.querySelectorAll("li")];
  input.hidden = lines.length < 6;
  menu.closest("details").addEventListener("toggle", (event) => event.target.open && !input.hidden && input.focus());
  input.addEventListener("input", () => {
    const typed = input.value.trim().toLowerCase();
    for (const line of lines) line.hidden = !line.textContent.toLowerCase().includes(typed);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") lines.find((line) => !line.hidden)?.querySelector("a").click();
  });
}

// A question before something that cannot be undone.
function attachDialog(button) {
  const dialog = document.querySelector(button.dataset.dialog);
  button.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  dialog.querySelector("[data-dialog-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
}

// Dragging over a chart makes its part the time range.
function attachBrush(chart) {
  const [from, bucket, bars] = ["from", "bucket", "bars"].map((name) => Number(chart.dataset[name]));
  const shade = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const barAt = (event) => {
    const { left, width } = chart.getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((event.clientX - left) / width) * bars), 0), bars - 1);
  };
  const iso = (at) => new Date(at).toISOString().slice(0, 16);
  let start = null;
  const span = (event) => [Math.min(start, barAt(event)), Math.max(start, barAt(event)) + 1];
  shade.setAttribute("class", "brush");
  shade.setAttribute("height", "100%");
  chart.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    start = barAt(event);
    chart.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  chart.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const [first, last] = span(event);
    shade.setAttribute("x", `${(100 * first) / bars}%`);
    shade.setAttribute("width", `${(100 * (last - first)) / bars}%`);
    chart.append(shade);
  });
  chart.addEventListener("pointercancel", () => {
    start = null;
    shade.remove();
  });
  chart.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const [first, last] = span(event);
    start = null;
    if (last - first < 2) return shade.remove(); // a click
    const url = new URL(location);
    for (const name of ["before", "after", "from", "to"]) url.searchParams.delete(name);
    url.searchParams.set("t", `${iso(from + first * bucket)}..${iso(from + last * bucket)}`);
    location.assign(url);
  });
}

// A form whose choice applies at once.
function attachSubmit(control) {
  control.addEventListener("change", () => control.form.requestSubmit());
}

const ATTACH = {
  "[data-theme-toggle]": attachTheme,
  "[data-rail-toggle]": attachRail,
  "[data-copy]": attachCopy,
  "[data-autosubmit]": attachFilters,
  "[data-submit]": attachSubmit,
  "[data-menu]": attachMenu,
  "[data-filterable]": attachFilterable,
  "[data-dialog]": attachDialog,
  "[data-brush]": attachBrush,
};
for (const [selector, attach] of Object.entries(ATTACH)) document.querySelectorAll(selector).forEach(attach);
if (/Mac|iP(hone|ad|od)/.test(navigator.platform)) {
  document.querySelectorAll("[data-mod-key]").forEach((key) => (key.textContent = "⌘"));
}
