// What happens on the server while a page is open, as events of the document: "live:signal" when something happened to
// issues, its detail being what the stream said ({} when too much was missed to say), and "live:activity" when some were
// counted up. A page takes part by an element with [data-live], after the scripts that listen.
//
// A tab in the background holds no connection: it closes the stream, and takes up again where it was. Nor does a page that a
// person has paused, by [data-live-toggle] in the scope bar; that holds for the tab of the browser.

const RETRY_MS = 30_000; // after the server turned the stream down
const KINDS = ["new", "regressed", "resolved", "ignored", "muted", "unresolved", "unmuted", "assigned"];

const { dataset } = document.querySelector("[data-live]");
let { after } = dataset; // the last signal this page knows of
let stream = null;
let isPaused = false;
try {
  isPaused = sessionStorage.getItem("bloop-paused") !== null;
} catch {
  // storage is blocked: every page begins live
}

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(`live:${name}`, { detail }));

function happened(event) {
  after = event.lastEventId || after;
  tell("signal", event.type === "reset" ? {} : JSON.parse(event.data));
}

function listen() {
  const query = new URLSearchParams({ after });
  if (dataset.project) query.set("project_id", dataset.project);
  stream = new EventSource(`/v1/stream?${query}`);
  for (const kind of KINDS) stream.addEventListener(`issue.${kind}`, happened);
  stream.addEventListener("reset", happened);
  stream.addEventListener("activity", () => tell("activity"));
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return; // it tries again by itself
    hush();
    setTimeout(() => stream || listenIfWanted(), RETRY_MS);
  });
}

function hush() {
  stream?.close();
  stream = null;
}

function listenIfWanted() {
  if (!document.hidden && !isPaused) listen();
}

function resume() {
  if (stream || document.hidden || isPaused) return;
  listen();
  tell("activity"); // counts went on meanwhile, and the stream does not tell them again
}

function attachToggle(button) {
  const word = button.querySelector("[data-live-word]");
  const show = () => {
    button.setAttribute("aria-pressed", String(!isPaused));
    word.textContent = isPaused ? "Paused" : "Live";
  };
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    try {
      if (isPaused) sessionStorage.setItem("bloop-paused", "1");
      else sessionStorage.removeItem("bloop-paused");
    } catch {
      // it holds for this page
    }
    show();
    if (isPaused) hush();
    else resume();
  });
  show();
  button.hidden = false;
}

document.addEventListener("visibilitychange", () => (document.hidden ? hush() : resume()));
addEventListener("pagehide", hush); // a page in the back/forward cache holds no connection either
addEventListener("pageshow", (event) => event.persisted && !stream && listenIfWanted());
document.querySelectorAll("[data-live-toggle]").forEach(attachToggle);
listenIfWanted();
