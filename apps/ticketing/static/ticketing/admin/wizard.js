// Writes a step of the event wizard down whenever a field was changed, so that a closed browser loses nothing, and shows
// the page anew. Without it the form's own buttons do the same.
//
//   <form data-wizard> … <p data-wizard-kept> </p></form>

const form = document.querySelector("[data-wizard]");
let submitted = false;

async function keep() {
  const typed = new FormData(form);
  typed.set("go", "keep");
  const answer = await fetch(form.action, { method: "POST", body: typed, keepalive: true });
  const preview = document.querySelector("iframe[name=wizard-preview]");
  if (answer.ok && preview && !submitted) preview.contentWindow.location.reload();
}

form.addEventListener("submit", () => { submitted = true; });
form.addEventListener("change", () => {
  // A click on a button comes right after the change; what it sends is the same.
  setTimeout(() => { if (!submitted) keep().catch(() => {}); }, 300);
});
