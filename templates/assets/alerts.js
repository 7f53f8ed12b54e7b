// Forms of alerts: only the parts of the chosen type are shown, and the preview follows the form. Without this script
// all parts are visible, each labelled with its type, and a button asks for the preview.

const PREVIEW_AFTER_MS = 400;

function followType(form) {
  const type = form.querySelector("[data-type]");
  const show = () => {
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(type.value);
  };
  form.classList.add("is-following");
  type.addEventListener("change", show);
  addEventListener("pageshow", show); // a form restored by the browser has its old choice
  show();
}

// A rule may notify channels of its own project and those for all.
function followProject(form) {
  const project = form.querySelector("[data-project]");
  if (!project) return;
  const show = () => {
    for (const line of form.querySelectorAll("[data-of]")) {
      line.hidden = line.dataset.of !== "" && line.dataset.of !== project.value;
      if (line.hidden) line.querySelector("input").checked = false;
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
  let timer, asked;
  const ask = async () => {
    asked?.abort();
    asked = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    for (const name of ["new_address", "new_name", "do"]) fields.delete(name); // no business of a preview
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: fields, signal: asked.signal });
      if (answer.ok) part.innerHTML = await answer.text();
    } catch {
      // The page is left, or the network is away: the old preview stays.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PREVIEW_AFTER_MS);
  });
  form.querySelector("[data-preview-button]").hidden = true;
  ask();
}

for (const form of document.querySelectorAll("[data-rule-form]")) {
  followType(form);
  followProject(form);
  followAddress(form);
  followPreview(form);
}
for (const form of document.querySelectorAll("[data-channel-form]")) followType(form);
