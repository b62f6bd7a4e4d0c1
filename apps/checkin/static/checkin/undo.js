// Ten seconds in which an admission is taken back at once; after them the same place leads to the page that asks why.

let timer;

const begin = () => {
  clearInterval(timer);
  const form = document.querySelector("[data-undo-seconds]");
  const later = document.querySelector("[data-undo-later]");
  if (!form || !later) return;
  const left = form.querySelector("[data-undo-left]");
  const until = performance.now() + Number(form.dataset.undoSeconds) * 1000;
  const tick = () => {
    const seconds = Math.ceil((until - performance.now()) / 1000);
    left.textContent = `${Math.max(seconds, 0)} s`;
    if (seconds > 0) return;
    clearInterval(timer);
    const hadFocus = form.contains(document.activeElement);
    form.hidden = true;
    later.hidden = false;
    if (hadFocus) later.focus();
  };
  tick();
  timer = setInterval(tick, 250);
};

begin();
document.body.addEventListener("htmx:afterSwap", begin);
