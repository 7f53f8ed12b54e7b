// Completes a search while it is typed: keys, and values that occur. <input data-complete="/search/complete?project=shop">
//
// The field stays a search field: Enter without a chosen option searches for what was typed, and without script nothing
// is missing but the list.

const COMPLETE_AFTER_MS = 120;

function attachCompletion(input) {
  const list = document.createElement("ul");
  list.className = "complete";
  list.id = `complete-${document.querySelectorAll(".complete").length}`;
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Completions");
  input.type = "text"; // a search field has no list of options
  for (const [name, value] of Object.entries({
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-controls": list.id,
    "aria-expanded": "false",
  })) {
    input.setAttribute(name, value);
  }
  input.parentElement.append(list);

  let options = [];
  let place = null;
  let chosen = -1;
  let timer;
  let asking = new AbortController();

  const choose = (index) => {
    chosen = index;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    list.children[index]?.scrollIntoView({ block: "nearest" });
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[index].id);
  };
  const close = () => {
    clearTimeout(timer);
    asking.abort();
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    choose(-1);
  };
  const show = (answer) => {
    ({ options, ...place } = answer);
    const isSaid = options.length === 1 && options[0].text === input.value.slice(place.start, place.end);
    list.replaceChildren(
      ...options.map(({ text, note }, index) => {
        const option = Object.assign(document.createElement("li"), { id: `${list.id}-${index}` });
        option.setAttribute("role", "option");
        option.append(Object.assign(document.createElement("bdi"), { textContent: text }));
        if (note) option.append(Object.assign(document.createElement("small"), { textContent: note }));
        return option;
      }),
    );
    list.hidden = options.length === 0 || isSaid;
    input.setAttribute("aria-expanded", String(!list.hidden));
    choose(-1);
  };
  const ask = async () => {
    asking.abort();
    asking = new AbortController();
    const url = new URL(input.dataset.complete, location);
    url.searchParams.set("q", input.value);
    url.searchParams.set("at", input.selectionStart);
    try {
      const answer = await fetch(url, { signal: asking.signal });
      if (answer.ok && document.activeElement === input) show(await answer.json());
    } catch {
      // another letter was typed, or the server is away: there is no list
    }
  };
  const accept = (index) => {
    const { text } = options[index];
    const isKey = /[.:]$/.test(text);
    const rest = input.value.slice(place.end);
    const isLast = !isKey && (rest === "" || !/^[\s,]/.test(rest));
    const before = input.value.slice(0, place.start) + text + (isLast ? " " : "");
    input.value = before + rest;
    input.setSelectionRange(before.length, before.length);
    close();
    if (isKey) ask();
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, COMPLETE_AFTER_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && list.hidden) ask();
    else if (step) choose(chosen < 0 && step < 0 ? options.length - 1 : Math.min(chosen + step, options.length - 1));
    else if (event.key === "Escape" && !list.hidden) close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) accept(chosen);
    else return;
    event.preventDefault();
  });
  input.addEventListener("blur", close);
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the focus stays in the field
    const option = event.target.closest("li");
    if (option) accept([...list.children].indexOf(option));
  });
}

document.querySelectorAll("[data-complete]").forEach(attachCompletion);
