// The form of a rule: the preview follows it, and the address of a new channel chooses its type. Without this script a
// button asks for the preview. Which parts belong to the chosen type, the stylesheet knows.

const PREVIEW_AFTER_MS = 400;

// A rule may notify channels of its own project and those for all. The others stay in their places: nothing jumps.
function followProject(form) {
  const project = form.querySelector("[data-project]");
  if (!project) return;
  const show = () => {
    for (const line of form.querySelectorAll("[data-of]")) {
      const tick = line.querySelector("input");
      tick.disabled = line.dataset.of !== "" && line.dataset.of !== project.value;
      if (tick.disabled) tick.checked = false;
    }
  };
  project.addEventListener("change", show);
  addEventListener("pageshow", show);
  show();
}

const HOSTS = { slack: "hooks.slack.com", discord: "discord.com", teams: "logic.azure.com" };

// The address says what it is: an address of Slack, Discord or Teams, or a mailbox, chooses the type.
function followAddress(form) {
  const type = form.querySelector("[data-new-type]");
  const address = form.querySelector("[data-new-address]");
  const show = () => (address.placeholder = address.dataset[type.value] ?? "");
  address.addEventListener("input", () => {
    const typed = address.value.trim();
    const host = URL.canParse(typed) ? new URL(typed).hostname : "";
    const known = Object.keys(HOSTS).find((name) => host === HOSTS[name] || host.endsWith(`.${HOSTS[name]}`));
    const guess = known ?? (host ? "" : /^[^@\s]+@[^@\s]+$/.test(typed) ? "email" : "");
    if (guess) type.value = guess;
    show();
  });
  type.addEventListener("change", show);
  show();
}

// The newest answer wins; one that comes after a later question is dropped.
function followPreview(form) {
  const part = document.querySelector("[data-preview-part]");
  const said = document.querySelector("[data-preview-said]"); // the sentence alone is read out, not the list
  let timer, asked;
  const ask = async () => {
    asked?.abort();
    asked = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    for (const name of ["new_address", "new_name", "do"]) fields.delete(name); // no business of a preview
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: fields, signal: asked.signal });
      if (!answer.ok) return;
      part.innerHTML = await answer.text();
      said.textContent = part.querySelector("p")?.textContent ?? "";
    } catch {
      // The page is left, or the network is away: the old preview stays.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PREVIEW_AFTER_MS);
  });
  ask();
}

for (const form of document.querySelectorAll("[data-rule-form]")) {
  followProject(form);
  followAddress(form);
  followPreview(form);
}
