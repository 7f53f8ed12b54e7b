// The open list: selecting many issues, and what arrives while a person looks at it.
//
// Nothing moves under the reader. Rows that are there are brought up to date in place; new ones wait behind a bar that says
// how many they are. live.js says when there is something to look at.

const REFRESH_MS = 500; // between two looks at the list, however many issues appear or change
const RECOUNT_MS = 5000; // and when issues that are there were counted up, nothing else

// Selecting -----------------------------------------------------------------------------------------------------------

const bulk = document.querySelector("[data-bulk]");
const ticks = () => [...bulk.querySelectorAll('input[name="issue"]')];

function attachBulk() {
  const all = bulk.querySelector(".rows-all input");
  const matching = bulk.querySelector('[name="all_matching"]');
  const count = bulk.querySelector("[data-bulk-count]");
  all.removeAttribute("name"); // from here on it ticks the rows, and those are what is sent
  let last = null;
  const show = () => {
    const boxes = ticks();
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    if (matching && chosen < boxes.length) matching.checked = false;
    count.textContent = chosen && !matching?.checked ? `${chosen} selected` : "";
  };
  const tickAll = (checked) => {
    for (const box of ticks()) box.checked = checked;
    show();
  };
  all.addEventListener("change", () => tickAll(all.checked));
  matching?.addEventListener("change", () => (matching.checked ? tickAll(true) : show()));
  // Shift takes everything between the last two.
  bulk.addEventListener("click", (event) => {
    if (event.target.name !== "issue") return;
    const boxes = ticks();
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(event.target)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const box of boxes.slice(from, to + 1)) box.checked = event.target.checked;
    last = event.target;
    show();
  });
  bulk.addEventListener("list:changed", show);
  addEventListener("pageshow", show); // a reload or the way back may have kept the ticks
  show();
}

// The exact time of a relative one, for who points at it.
document.addEventListener("pointerover", ({ target }) => {
  if (target.matches?.("time:not([title])")) target.title = new Date(target.dateTime).toUTCString();
});

// What arrives --------------------------------------------------------------------------------------------------------

const live = document.querySelector("[data-live]");
let fresh = null; // the list as it is now
let timer = 0; // of the next look
let dueAt = 0;
let lookedAt = -RECOUNT_MS;
let isLooking = false;
let isStale = false;

// At once when the last look is long enough ago, else as soon as it is: a storm costs a request now and then.
function lookSoon(gap) {
  const at = Math.max(performance.now(), lookedAt + gap);
  if (isLooking) isStale = true;
  else if (!timer || at < dueAt) {
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(look, at - performance.now());
  }
}

async function look() {
  timer = 0;
  isLooking = true;
  isStale = false;
  lookedAt = performance.now();
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    update();
  } catch {
    // The server is away; the stream says when it is back.
  } finally {
    isLooking = false;
    if (isStale) lookSoon(REFRESH_MS); // something happened while we looked
  }
}

const rowsOf = (root) => [...root.querySelectorAll("ol[data-rows] > li")];
const idOf = (row) => row.querySelector('input[name="issue"]').value;

function update() {
  for (const part of [".pulse", ".page-head .tabs", ".project-list"]) replacePart(part);
  const now = new Map(rowsOf(fresh).map((row) => [idOf(row), row]));
  for (const row of rowsOf(document)) {
    const newer = now.get(idOf(row));
    now.delete(idOf(row));
    if (newer) renew(row, newer);
  }
  announce(now.size);
}

function replacePart(selector) {
  const [old, made] = [document.querySelector(selector), fresh.querySelector(selector)];
  if (old && made && old.innerHTML !== made.innerHTML && !old.contains(document.activeElement)) {
    old.replaceChildren(...document.importNode(made, true).childNodes);
  }
}

// The badges behind the link, and the line below it.
function renewWords(row, newer) {
  const titles = [row, newer].map((element) => element.querySelector(".row-title"));
  const [old, made] = titles.map((title) => [...title.children].slice(1));
  if (old.map((badge) => badge.outerHTML).join() !== made.map((badge) => badge.outerHTML).join()) {
    for (const badge of old) badge.remove();
    titles[0].append(...made.map((badge) => document.importNode(badge, true)));
  }
  const [meta, madeMeta] = [row, newer].map((element) => element.querySelector(".row-meta"));
  if (meta.outerHTML !== madeMeta.outerHTML) meta.replaceWith(document.importNode(madeMeta, true));
}

// Everything of a row but its tick and its link, where the focus may be.
function renew(row, newer) {
  renewWords(row, newer);
  row.className = newer.className + (row.classList.contains("is-cursor") ? " is-cursor" : "");
  const [old, made] = [[...row.children], [...newer.children]];
  if (old.length !== made.length) return;
  old.forEach((element, index) => {
    if (element.matches(".tick, .main") || element.outerHTML === made[index].outerHTML) return;
    element.replaceWith(document.importNode(made[index], true));
  });
}

function announce(count) {
  if (count === 0) {
    live.replaceChildren();
    return;
  }
  const words = `${count} new ${count === 1 ? "issue" : "issues"} – show`;
  if (live.textContent === words) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", show);
  live.replaceChildren(button);
}

// The whole list as it is now; what was ticked stays so.
function show() {
  const ticked = new Set([...document.querySelectorAll('input[name="issue"]:checked')].map((box) => box.value));
  const [old, made] = [document.querySelector("ol[data-rows]"), fresh.querySelector("ol[data-rows]")];
  if (!old || !made) {
    location.reload(); // from empty to not, or back
    return;
  }
  old.replaceChildren(...document.importNode(made, true).children);
  for (const box of ticks()) box.checked = ticked.has(box.value);
  bulk.elements.shown.value = ticks().map((box) => box.value).join(" ");
  bulk.dispatchEvent(new Event("list:changed"));
  live.replaceChildren();
  old.querySelector("a[href]")?.focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

if (bulk) attachBulk();
document.addEventListener("live:signal", () => lookSoon(REFRESH_MS));
document.addEventListener("live:activity", () => lookSoon(RECOUNT_MS));
