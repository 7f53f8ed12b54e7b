// The set-up page: the first event shows by itself, languages change in place, a test error is sent without leaving the
// page. The key on it may be shown only once, so nothing here loads another page.

const page = document.querySelector("[data-setup]");
const ASK_EVERY_MS = 5000; // where the live stream says nothing
let isAsking = false;

// Languages

function choose(name) {
  for (const tab of page.querySelectorAll("[data-lang]")) {
    if (tab.dataset.lang === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  for (const panel of page.querySelectorAll("[data-panel]")) panel.hidden = panel.dataset.panel !== name;
}

for (const tab of page.querySelectorAll("[data-lang]")) {
  tab.addEventListener("click", (event) => {
    event.preventDefault();
    choose(tab.dataset.lang);
    document.cookie = `bloop_lang=${tab.dataset.lang}; SameSite=Lax; Path=/; Max-Age=31536000`;
  });
}
choose(page.querySelector("[data-lang][aria-current]").dataset.lang);

// The first event: the stream (live.js) says that something was counted; the page then takes the server's words for it.

const hasArrived = () => Boolean(page.querySelector("[data-arrived]"));

function showArrival(html) {
  for (const symbol of html.querySelectorAll("symbol")) {
    if (!document.getElementById(symbol.id)) document.querySelector("svg[hidden]").append(symbol);
  }
  const [wait, fresh] = [document, html].map((part) => part.querySelector("[data-wait]"));
  if (!fresh.querySelector("[data-arrived]")) return;
  wait.className = fresh.className;
  wait.replaceChildren(...fresh.childNodes);
  attachTest();
  page.querySelector("[data-announce]").textContent = wait.querySelector("h2").textContent;
  for (const mark of page.querySelectorAll(".step > .n")) {
    mark.classList.add("is-done");
    mark.replaceChildren(html.querySelector(".step > .n").firstElementChild.cloneNode(true));
  }
}

async function look() {
  if (isAsking || hasArrived() || document.visibilityState !== "visible") return;
  isAsking = true;
  try {
    const status = await fetch(page.dataset.setup, { headers: { Accept: "application/json" } });
    if (status.ok && (await status.json()).href) {
      const answer = await fetch(page.dataset.page, { headers: { Accept: "text/html" } });
      if (answer.ok) showArrival(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    // The server is briefly unreachable.
  } finally {
    isAsking = false;
  }
}

document.addEventListener("live:signal", look);
document.addEventListener("live:activity", look);
document.addEventListener("visibilitychange", look);
setInterval(look, ASK_EVERY_MS);

// A test error

function attachTest() {
  const form = page.querySelector("[data-test-event]");
  const note = form.querySelector("[data-test-note]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    note.textContent = "Sending…";
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" } });
      const { status, error } = await answer.json();
      note.textContent = status === "accepted" ? "Sent." : status ?? error;
      setTimeout(look, 300); // stored by then, where no stream is open
    } catch {
      note.textContent = "The server isn't responding.";
    }
  });
}

attachTest();
