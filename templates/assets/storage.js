// The storage page: the progress of a purge, once a second. The purge itself does not depend on this page.

const state = document.querySelector("[data-purge]");
const ASK_EVERY_MS = 1000;

function say(run) {
  const number = new Intl.NumberFormat("en");
  if (run.status === "waiting") return;
  const text = state.querySelector("[data-purge-text]");
  const bar = state.querySelector("progress");
  if (run.raw_events_due) {
    bar.max = run.raw_events_due;
    bar.value = run.raw_events_deleted;
  }
  const deleted = number.format(run.raw_events_deleted);
  const hours = `${number.format(run.hourly_counts_deleted)} hourly counts`;
  if (run.status === "ok") {
    bar.max = bar.value = 1;
    text.textContent = `Done: ${deleted} events and ${hours} deleted.`;
  } else if (run.raw_events_due === null) {
    text.textContent = "Looking for expired data…";
  } else {
    text.textContent = `${deleted} of ${number.format(run.raw_events_due)} events deleted, ${hours}.`;
  }
}

async function look() {
  if (document.visibilityState === "visible") {
    try {
      const answer = await fetch(state.dataset.purge, { headers: { Accept: "application/json" } });
      if (answer.status === 401 || answer.status === 404) return; // signed out, or forgotten
      const run = await answer.json();
      say(run);
      if (run.status === "ok") return;
    } catch {
      // The server is briefly unreachable.
    }
  }
  setTimeout(look, ASK_EVERY_MS);
}

if (state) look();
