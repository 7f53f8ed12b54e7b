// The system page: its values are those of the moment. The page is asked for again every five seconds, and what changed
// is put in; a background tab asks for nothing, and the summary is read out only when its words change.

const ASK_EVERY_MS = 5000;
const page = document.querySelector("[data-refresh]");

const PLACE = "svg[hidden]"; // a page holds the drawings that it uses; other marks bring theirs

function put(fresh, drawings) {
  for (const symbol of drawings.querySelectorAll("symbol")) {
    if (!document.getElementById(symbol.id)) document.querySelector(PLACE).append(symbol);
  }
  const [summary, next] = [page, fresh].map((part) => part.querySelector("[data-summary]"));
  if (summary.textContent !== next.textContent) {
    summary.className = next.className;
    summary.replaceChildren(...next.childNodes);
  }
  const [checks, lines] = [page, fresh].map((part) => part.querySelector(".checks"));
  if (!checks.contains(document.activeElement) && !String(getSelection())) checks.replaceChildren(...lines.childNodes);
}

async function look() {
  if (document.visibilityState === "visible") {
    try {
      const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
      const html = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = html.querySelector("[data-refresh]");
      if (!answer.ok || answer.redirected || !fresh) return; // signed out
      put(fresh, html.querySelector(PLACE));
    } catch {
      // The server is briefly unreachable.
    }
  }
  setTimeout(look, ASK_EVERY_MS);
}

setTimeout(look, ASK_EVERY_MS);
