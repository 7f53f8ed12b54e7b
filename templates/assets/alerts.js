// Of the sentence that a rule is, only the parts that belong to what it waits for. Without this all of them stand there,
// each saying what it is for.

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
