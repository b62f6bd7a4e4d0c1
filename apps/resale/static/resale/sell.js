// Reckons what comes back while the seller types, by the page's own address. Without it the button beside does the same.
// What the form showed stays as it was: where the listing is another by now that is said at once, and no button hides it.
const form = document.querySelector("[data-sell]");
const price = form?.querySelector("#price");
const look = form?.querySelector("[data-sell-look]");

async function reckon(signal) {
  const asked = new URLSearchParams();
  for (const name of ["price", "who", "listing", "version", "seen_minor", "seen_who"]) {
    if (form.elements[name]) asked.set(name, form.elements[name].value);
  }
  const answer = await fetch(`${location.pathname}?${asked}`, { signal, headers: { Accept: "text/html" } });
  if (!answer.ok && answer.status !== 422) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const problem = page.querySelector("[data-sell-problem]");
  if (problem) form.querySelector("[data-sell-problem]").replaceChildren(...problem.childNodes);
  const summary = page.querySelector("#sell-summary");
  if (summary && answer.ok) form.querySelector("#sell-summary").replaceWith(summary);
}

if (price && look) {
  look.hidden = true;
  let waiting, running;
  price.addEventListener("input", () => {
    clearTimeout(waiting);
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    waiting = setTimeout(() => reckon(signal).catch(() => { look.hidden = false; }), 300);
  });
}
