// "Copy for LLM": what stands in the page, or the document at another address.

for (const button of document.querySelectorAll("[data-copy-from], [data-copy-text]")) {
  if (!navigator.clipboard) continue; // plain http: the links beside it do the same
  const words = button.textContent;
  let timer;
  const say = (text) => {
    button.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = words), 1500);
  };
  button.addEventListener("click", async () => {
    try {
      if (button.dataset.copyText) await navigator.clipboard.writeText(button.dataset.copyText);
      else await copyFrom(button.dataset.copyFrom);
      say("Copied");
    } catch {
      say("Not possible");
    }
  });
  button.hidden = false;
}

// Handed over as a promise, because Safari takes a click as consent only until the next await.
async function copyFrom(url) {
  const text = fetch(url).then(async (response) => {
    if (!response.ok) throw new Error(response.statusText);
    return new Blob([await response.text()], { type: "text/plain" });
  });
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]);
}
