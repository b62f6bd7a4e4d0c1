// The ticket in hand: the screen stays lit, Escape makes the code small again, and the page is kept for where there is no
// network. Each of them may be missing in a browser; the ticket is whole without.
//
//   <article data-ticket data-worker="…/tickets/worker.js" data-kept-until="2026-12-14T02:00:00+01:00" [data-stay-lit]>
//   <p data-kept hidden>                                shown once the page is kept
//   <p data-kept-copy data-text="… {time} …" hidden>    shown on a kept copy, with the moment it was made

const ticket = document.querySelector("[data-ticket]");
const keptAt = document.documentElement.dataset.keptAt;

async function stayLit() {
  if (document.visibilityState !== "visible") return;
  try {
    await navigator.wakeLock.request("screen"); // let go by the browser whenever the page is hidden
  } catch {
    document.removeEventListener("visibilitychange", stayLit); // no such lock here, or the battery is low
  }
}

if ("stayLit" in ticket.dataset) {
  document.addEventListener("visibilitychange", stayLit);
  stayLit();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash === "#code") location.hash = "#ticket";
});

function tellCopy() {
  const note = document.querySelector("[data-kept-copy]");
  const at = new Date(keptAt);
  const language = document.documentElement.lang;
  const clock = at.toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" });
  const time = language === "sv" ? clock.replace(":", ".") : clock;
  const isToday = at.toDateString() === new Date().toDateString();
  const day = isToday ? "" : `${at.toLocaleDateString(language, { day: "numeric", month: "short" })} `;
  note.querySelector("span").textContent = note.dataset.text.replace("{time}", day + time);
  note.hidden = false;
}

async function keepHere() {
  navigator.serviceWorker.addEventListener("message", (event) => {
    const note = document.querySelector("[data-kept]");
    if (event.data?.kept && note) note.hidden = false;
  });
  await navigator.serviceWorker.register(ticket.dataset.worker);
  const { active } = await navigator.serviceWorker.ready;
  const parts = performance
    .getEntriesByType("resource")
    .filter(({ initiatorType }) => initiatorType !== "fetch")
    .map(({ name }) => name);
  const page = location.pathname;
  active.postMessage({ keep: { page, parts: [...new Set(parts)], until: ticket.dataset.keptUntil } });
}

const whenLoaded = () =>
  new Promise((done) => (document.readyState === "complete" ? done() : addEventListener("load", done, { once: true })));

if (keptAt) {
  tellCopy();
} else if (navigator.serviceWorker) {
  whenLoaded()
    .then(() => document.fonts.ready)
    .then(keepHere)
    .catch((reason) => console.info("This ticket is not kept on the phone.", reason));
}
