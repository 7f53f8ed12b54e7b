// What happens on the server while a page is open, as events of the document: "live:signal" when something happened to
// issues, its detail being what the stream said ({} when too much was missed to say), and "live:activity" when some were
// counted up. A page takes part by an element with [data-live], after the scripts that listen.
//
// A tab in the background holds no connection: it closes the stream, and takes up again where it was.

const RETRY_MS = 30_000; // after the server turned the stream down
const KINDS = ["new", "regressed", "resolved", "ignored", "muted", "unresolved", "unmuted", "assigned"];

const { dataset } = document.querySelector("[data-live]");
let { after } = dataset; // the last signal this page knows of
let stream = null;

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
    setTimeout(() => document.hidden || stream || listen(), RETRY_MS);
  });
}

function hush() {
  stream?.close();
  stream = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) hush();
  else if (!stream) {
    listen();
    tell("activity"); // counts went on meanwhile, and the stream does not tell them again
  }
});
addEventListener("pagehide", hush); // a page in the back/forward cache holds no connection either
addEventListener("pageshow", (event) => event.persisted && !document.hidden && !stream && listen());
if (!document.hidden) listen();
