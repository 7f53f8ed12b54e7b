// What pages gain from JavaScript. Everything else works without; controls that need it start hidden.

const THEMES = ["auto", "light", "dark"];

function attachTheme(button) {
  const root = document.documentElement;
  const name = button.querySelector("[data-theme-name]");
  const show = () => {
    const theme = root.dataset.theme ?? "auto";
    name.textContent = theme[0].toUpperCase() + theme.slice(1);
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("bloop-theme", next);
    } catch {
      // Storage is blocked: the choice lasts until the next page.
    }
    show();
  });
  show();
  button.hidden = false;
}

function attachCopy(button) {
  if (!navigator.clipboard) return; // plain http: the text can still be selected
  const source = document.querySelector(button.dataset.copy);
  const label = button.querySelector("span");
  const words = label.textContent;
  let timer;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Not allowed";
    }
    clearTimeout(timer);
    timer = setTimeout(() => (label.textContent = words), 1500);
  });
  button.hidden = false;
}

// A changed select applies at once; the URL stays short because empty fields do not travel.
function attachFilters(form) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      const isDefault = field.value === "" || (field.name === "sort" && field.value === "last_seen");
      if (field.name && isDefault) field.disabled = true;
    }
  });
  addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false; // restored from the back/forward cache
  });
}

// A menu closes on Escape and on a click elsewhere, and gives the focus back.
function attachMenu(menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

document.querySelectorAll("[data-theme-toggle]").forEach(attachTheme);
document.querySelectorAll("[data-copy]").forEach(attachCopy);
document.querySelectorAll("[data-autosubmit]").forEach(attachFilters);
document.querySelectorAll("[data-menu]").forEach(attachMenu);
