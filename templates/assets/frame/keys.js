// Shortcuts. A page offers one by naming it: <a data-key="p"> is followed and <button data-key="r"> pressed by that key,
// <input data-key="/"> takes the focus, and "g i" is two keys, one after the other. What a page does not name does nothing
// and stays the browser's.
//
// Rows of [data-rows] have a cursor. Moving it moves the focus to the row's link, so Enter, the outline and what a screen
// reader says are the browser's own; the cursor stays where the focus was last. A key that acts on rows, [data-acts-on-rows],
// takes the selected ones, or the one at the cursor when none is.
//
// Keys are what a layout prints on them (`event.key`). They are off in fields, in dialogs, while a word is being composed,
// with Ctrl, Alt or Meta held, and when switched off; holding one down moves the cursor and repeats nothing else.

const HELP = {
  Everywhere: {
    "?": "This help",
    "/": "Search",
    "Ctrl K": "Find a page or an action",
    s: "Switch project",
    t: "Time range",
    "[": "Narrow or wide rail",
  },
  "In the list": {
    "j k": "Next, previous issue",
    o: "Open (or Enter)",
    x: "Select it",
    "*": "Select all on this page",
    "r m i a": "Resolve, mute, ignore, assign to yourself: selection, or current issue",
    u: "Undo",
    "n p": "Next, previous page",
  },
  "On an issue": {
    "n p": "Newer, older event",
    "j k": "Next, previous issue of the list",
    "r m i": "Resolve, mute, ignore",
    o: "Reopen",
    a: "Assign to yourself",
    c: "Comment",
    u: "Undo, or up to the list it came from",
  },
};
const STEPS = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };
const SEQUENCE_MS = 1500;
const IS_MAC = /Mac|iP(hone|ad|od)/.test(navigator.platform);
const TYPING =
  "input:not([type=checkbox], [type=button], [type=submit]), textarea, select, dialog, " +
  "[role=dialog], [role=textbox], [role=combobox], [role=listbox], [role=menu]";

// State kept between pages. If storage is blocked, the choice lasts until the next page, and `u` goes to the project.

const memory = {};

function stored(storage, name) {
  try {
    return window[storage].getItem(name) ?? undefined;
  } catch {
    return memory[name];
  }
}

function store(storage, name, value) {
  memory[name] = value;
  try {
    window[storage].setItem(name, value);
  } catch {
    // kept in memory above
  }
}

const isOff = () => document.documentElement.dataset.keys === "off" || stored("localStorage", "bloop-keys") === "off";

// The cursor ----------------------------------------------------------------------------------------------------------

let cursor = ""; // where the row's link leads: rows may be replaced under it

const rows = () => [...document.querySelectorAll("[data-rows] > li")];
const linkOf = (row) => row.querySelector("a[href]");
const boxOf = (row) => row.querySelector("input[type=checkbox]");
const hrefOf = (row) => linkOf(row)?.getAttribute("href") ?? "";
const isCurrent = (row) => cursor !== "" && hrefOf(row) === cursor;

function mark() {
  for (const row of rows()) row.classList.toggle("is-cursor", isCurrent(row));
}

function point(row) {
  cursor = hrefOf(row);
  mark();
  linkOf(row)?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  if (all.length === 0) return false;
  const index = all.findIndex(isCurrent);
  const next = index < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(index + step, 0), all.length - 1);
  point(all[next]);
  return true;
}

function selectAtCursor() {
  const row = rows().find(isCurrent);
  const box = row && boxOf(row);
  box?.click();
  return Boolean(box);
}

function openAtCursor() {
  const row = rows().find(isCurrent);
  if (row) linkOf(row).click();
  return Boolean(row);
}

// The list one came from ----------------------------------------------------------------------------------------------

const LIST = "bloop-list";
const here = () => location.pathname + location.search;
let returns = false; // the next page of this tab is the list again: put the cursor back there

function rememberList() {
  const all = rows();
  const place = { url: here(), hrefs: all.map(hrefOf), index: all.findIndex(isCurrent), cursor, scroll: scrollY, returns };
  store("sessionStorage", LIST, JSON.stringify(place));
  returns = false; // the page may come back from the back/forward cache
}

function lastList() {
  try {
    return JSON.parse(stored("sessionStorage", LIST));
  } catch {
    return null; // none yet
  }
}

function restoreList() {
  const last = lastList();
  if (!last?.returns || last.url !== here()) return;
  const all = rows();
  const row = all.find((one) => hrefOf(one) === last.cursor) ?? all[Math.min(last.index, all.length - 1)];
  scrollTo(0, last.scroll);
  if (row) point(row);
}

// Whether this is the page of an issue of the list, or one below it.
function isAt(href) {
  const path = new URL(href, location).pathname;
  return location.pathname === path || location.pathname.startsWith(`${path}/`);
}

// From an issue to the next or previous one of the list it was opened from.
function walkList(step) {
  const hrefs = lastList()?.hrefs ?? [];
  const index = hrefs.findIndex(isAt);
  const href = index < 0 ? undefined : hrefs[index + step];
  if (!href) return false;
  store("sessionStorage", LIST, JSON.stringify({ ...lastList(), cursor: href, index: index + step }));
  location.assign(href);
  return true;
}

function goUp() {
  const last = lastList();
  const link = document.querySelector('a[data-key="u"]');
  if (!link) return false;
  const isFromList = last?.hrefs.some(isAt);
  if (isFromList) store("sessionStorage", LIST, JSON.stringify({ ...last, returns: true }));
  location.assign(isFromList ? last.url : link.href);
  return true;
}

// Pressing ------------------------------------------------------------------------------------------------------------

function press(key) {
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
  if (!target) return false;
  if (target.closest("[data-acts-on-rows]")) {
    const isAnySelected = rows().some((row) => boxOf(row)?.checked);
    if (!isAnySelected && !selectAtCursor()) return false;
    returns = true;
  }
  if (target.matches(TYPING)) {
    target.focus();
    target.select?.();
  } else target.click();
  return true;
}

function undoOrGoUp() {
  const undo = document.querySelector('[data-toast] [data-key="u"]');
  returns = Boolean(undo); // in a list the cursor stays where it was
  undo?.click();
  return Boolean(undo) || goUp();
}

const COMMANDS = { "?": showHelp, x: selectAtCursor, u: undoOrGoUp };
let began = ""; // the first key of a sequence
let beganAt = 0;

// Under a Cyrillic or Greek layout the letter is where its Latin neighbours expect it.
function keyOf(event) {
  const isForeign = event.key.length === 1 && event.key > "\u02ff" && /^Key[A-Z]$/.test(event.code);
  return isForeign ? event.code[3].toLowerCase() : event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

function perform(key, event) {
  if (began && event.timeStamp - beganAt < SEQUENCE_MS) {
    const sequence = `${began} ${key}`;
    began = "";
    return press(sequence);
  }
  began = "";
  if (key === "g") {
    [began, beganAt] = ["g", event.timeStamp];
    return false;
  }
  const row = event.target.closest?.("[data-rows] > li");
  if (key in STEPS) return (key.length === 1 || Boolean(row)) && (move(STEPS[key]) || (key.length === 1 && walkList(STEPS[key])));
  if (key === "o" && openAtCursor()) return true;
  if (key === "Enter") return event.target === document.body && openAtCursor();
  return COMMANDS[key] ? COMMANDS[key]() : press(key);
}

function onKeydown(event) {
  if (event.defaultPrevented || event.isComposing || isOff()) return;
  if (event.target.isContentEditable || event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
  const key = keyOf(event);
  const isAltGr = event.getModifierState("AltGraph");
  if (!isAltGr && (event.ctrlKey || event.metaKey || event.altKey)) {
    const isPalette = key === "k" && !event.shiftKey && !event.altKey && event.metaKey === IS_MAC && event.ctrlKey !== IS_MAC;
    if (isPalette && !document.dispatchEvent(new Event("bloop:palette", { cancelable: true }))) event.preventDefault();
    return;
  }
  if (event.shiftKey && /^([a-z]|[A-Z]\w+)$/.test(key)) return;
  if (event.repeat && !(key in STEPS)) return;
  if (perform(key, event)) event.preventDefault();
}

// Help and the switch -------------------------------------------------------------------------------------------------

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const caps = (keys) => keys.split(" ").flatMap((key) => [make("kbd", {}, key === "Ctrl" && IS_MAC ? "⌘" : key), " "]);

const labelOf = (element) => element.dataset.label ?? element.textContent.trim();

function withPlaces(keys) {
  const places = [...document.querySelectorAll('[data-key^="g "]')];
  return { ...keys, ...Object.fromEntries(places.map((link) => [link.dataset.key, `Go to: ${labelOf(link)}`])) };
}

function makeHelp() {
  const box = make("input", { type: "checkbox", className: "switch" });
  const dialog = make(
    "dialog",
    { className: "dialog keys" },
    make("h2", { id: "keys-title" }, "Keyboard"),
    ...Object.entries({ ...HELP, Everywhere: withPlaces(HELP.Everywhere) }).map(([place, keys]) =>
      make(
        "section",
        {},
        make("h3", {}, place),
        make("dl", {}, ...Object.entries(keys).map(([k, what]) => make("div", {}, make("dt", {}, ...caps(k)), make("dd", {}, what)))),
      ),
    ),
    make("label", { className: "line" }, box, "Shortcuts are on in this browser"),
    make("form", { method: "dialog" }, make("button", { className: "button" }, "Close")),
  );
  dialog.setAttribute("aria-labelledby", "keys-title");
  box.checked = !isOff();
  box.addEventListener("change", () => store("localStorage", "bloop-keys", box.checked ? "on" : "off"));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

function showHelp() {
  const dialog = makeHelp();
  document.body.append(dialog);
  dialog.showModal();
  return true;
}

// Attach --------------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", onKeydown);
document.querySelectorAll("[data-keys-help]").forEach((button) => {
  button.addEventListener("click", showHelp);
  button.hidden = false;
});
for (const element of document.querySelectorAll("[data-key]")) {
  if (element.dataset.key.length === 1) element.setAttribute("aria-keyshortcuts", element.dataset.key);
}
document.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-rows] > li");
  if (row) cursor = hrefOf(row);
  if (row) mark();
});
const list = document.querySelector("ol[data-rows]");
if (list) {
  new MutationObserver(mark).observe(list.parentElement, { childList: true, subtree: true }); // rows may be replaced
  addEventListener("pagehide", rememberList);
  restoreList();
} else if (document.referrer && !lastList()) {
  // Opened in a tab of its own: the list is where the link was.
  const from = new URL(document.referrer);
  const place = { url: from.pathname + from.search, hrefs: [here()], index: 0, cursor: here(), scroll: 0 };
  if (from.origin === location.origin && from.pathname === "/") store("sessionStorage", LIST, JSON.stringify(place));
}
