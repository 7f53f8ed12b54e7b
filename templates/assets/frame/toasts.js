// What the last action did: a line of the page without script, here a toast that goes after ten seconds, unless somebody
// points at it or tabs into it. The page behind it does not move.

const SHOWN_MS = 10_000;

function attachToast(toast) {
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => toast.remove(), SHOWN_MS);
  };
  const hold = () => clearTimeout(timer);
  toast.classList.add("is-floating");
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("pointerleave", wait);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("focusout", wait);
  wait();
}

document.querySelectorAll("[data-toast]").forEach(attachToast);
