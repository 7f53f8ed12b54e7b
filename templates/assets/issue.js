// The page of an issue: "Copy for LLM", what stands in the page or the document at another address; and a quiet line when
// the issue changed or happened again since the page was made. Nothing moves under the reader.

for (const button of document.querySelectorAll("[data-copy-from], [data-copy-text]")) {
  if (!navigator.clipboard) continue; // plain http: the links beside it do the same
  const words = button.textContent;
  let timer;
  const say = (text) => {
    button.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = words), 1500);
  };
  button.addEventListener("click", async () => {
    try {
      if (button.dataset.copyText) await navigator.clipboard.writeText(button.dataset.copyText);
      else await copyFrom(button.dataset.copyFrom);
      say("Copied");
    } catch {
      say("Not possible");
    }
  });
  button.hidden = false;
}

// Handed over as a promise, because Safari takes a click as consent only until the next await.
async function copyFrom(url) {
  const text = fetch(url).then(async (response) => {
    if (!response.ok) throw new Error(response.statusText);
    return new Blob([await response.text()], { type: "text/plain" });
  });
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
}

// What happened meanwhile -----------------------------------------------------------------------------------------------

const LOOK_MS = 500; // after something was done to the issue
const RECOUNT_MS = 5000; // between two looks when issues of the project were counted up

const live = document.querySelector("[data-live]");
let timer = 0;
let dueAt = 0;
let lookedAt = -RECOUNT_MS;

function lookSoon(gap) {
  const at = Math.max(performance.now(), lookedAt + gap);
  if (timer && dueAt <= at) return;
  clearTimeout(timer);
  dueAt = at;
  timer = setTimeout(look, at - performance.now());
}

async function look() {
  timer = 0;
  lookedAt = performance.now();
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    announce(page.querySelector("[data-live]").dataset);
  } catch {
    // The server is away; the stream says when it is back.
  }
}

function announce(now) {
  const count = now.events - live.dataset.events;
  const said = [count > 0 && `${count} new ${count === 1 ? "event" : "events"}`, now.state !== live.dataset.state && `now ${now.state}`];
  const words = said.filter(Boolean).join(", ");
  if (!words) {
    live.replaceChildren();
    return;
  }
  const button = live.querySelector("button") ?? document.createElement("button");
  button.type = "button";
  button.textContent = `${words} – reload`;
  button.onclick = () => location.reload();
  if (!button.isConnected) live.replaceChildren(button);
}

document.addEventListener("live:signal", ({ detail }) => {
  if (!detail.issue || detail.issue === live.dataset.issue) lookSoon(LOOK_MS);
});
document.addEventListener("live:activity", () => lookSoon(RECOUNT_MS));
