// Shows only the parts of the rule form that belong to the selected type. Without this script all parts are visible,
// each labelled with its type.

for (const form of document.querySelectorAll("[data-sentence]")) {
  const type = form.querySelector("[data-type]");
  const show = () => {
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(type.value);
  };
  form.classList.add("is-following");
  type.addEventListener("change", show);
  addEventListener("pageshow", show); // a form restored by the browser has its old choice
  show();
}
