// Suggests a slug from the name, until the user edits the slug.

const name = document.querySelector("[data-slug-for]");
const slug = document.querySelector(name.dataset.slugFor);
let suggested = slug.value;

name.addEventListener("input", () => {
  if (slug.value !== suggested) return;
  suggested = name.value.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 64);
  slug.value = suggested;
});
