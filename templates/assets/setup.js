// The set-up page: polls for the first event, and sends a test error without leaving the page, since the key on it
// is shown only once. A background tab does not poll.

const page = document.querySelector("[data-setup]");
const waiting = page.querySelector("[data-waiting]");
const arrived = page.querySelector("[data-arrived]");
const ASK_EVERY_MS = 1000;

async function look() {
  if (!waiting.hidden && document.visibilityState === "visible") {
    try {
      const answer = await fetch(page.dataset.setup, { headers: { Accept: "application/json" } });
      if (answer.status === 401 || answer.status === 404) return; // signed out, or the project was deleted
      const { href } = await answer.json();
      if (href) {
        page.querySelector("[data-arrived-link]").setAttribute("href", href);
        waiting.hidden = true;
        arrived.hidden = false;
        return;
      }
    } catch {
      // The server is briefly unreachable.
    }
  }
  if (!waiting.hidden) setTimeout(look, ASK_EVERY_MS);
}

const form = page.querySelector("[data-test-event]");
const note = page.querySelector("[data-test-note]");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  note.textContent = "Sending…";
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" } });
    const { status, error } = await answer.json();
    note.textContent = status === "accepted" ? "Sent." : status ?? error;
  } catch {
    note.textContent = "The server isn't responding.";
  }
});

look();
