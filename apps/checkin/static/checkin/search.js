// The search over the door's page: found while one writes, closed as soon as the door has an answer.

const FEWEST_LETTERS = 2;
const dialog = document.querySelector("[data-search]");
const form = dialog.querySelector("[data-search-form]");
const hits = dialog.querySelector("#hits");
const lost = dialog.querySelector("[data-search-lost]");

addEventListener("click", (event) => {
  if (!event.target.closest("[data-search-open]") || !dialog.showModal) return; // the link leads to a page
  event.preventDefault();
  form.reset();
  hits.replaceChildren();
  lost.hidden = true;
  dialog.showModal();
  form.elements.q.focus();
});
form.addEventListener("htmx:beforeRequest", (event) => {
  if (form.elements.q.value.trim().length >= FEWEST_LETTERS) return;
  hits.replaceChildren();
  event.preventDefault();
});
form.addEventListener("htmx:afterRequest", (event) => {
  lost.hidden = event.detail.successful;
  if (!event.detail.successful) hits.replaceChildren();
});
for (const answer of ["door:screen", "door:lost"]) document.body.addEventListener(answer, () => dialog.close());
