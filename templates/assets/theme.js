// Runs before the first paint, so a chosen theme never flashes. Storage may be blocked: then the system decides.
try {
  const theme = localStorage.getItem("bloop-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {}
