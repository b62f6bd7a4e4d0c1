// The choice of moment and person in the editor's preview panel. It writes the preview mode, `at=…&as=…`, and tells
// Wagtail's panel, which fetches the preview anew.
//
//   <div data-travel> <input data-travel-mode> <input type="datetime-local" data-travel-at>
//     <select data-travel-as> <button data-travel-moment="2026-12-12T18:00" aria-pressed="false"> </div>
//
// One listener for the document, because the panel is drawn anew when a page was saved for the first time.

const show = (panel) => {
  const [mode, at, who] = ["mode", "at", "as"].map((part) => panel.querySelector(`[data-travel-${part}]`));
  const chosen = new URLSearchParams();
  if (at.value) chosen.set("at", at.value);
  if (who.value) chosen.set("as", who.value);
  for (const button of panel.querySelectorAll("[data-travel-moment]")) {
    button.setAttribute("aria-pressed", String(button.dataset.travelMoment === at.value));
  }
  if (mode.value === chosen.toString()) return;
  mode.value = chosen.toString();
  mode.dispatchEvent(new Event("input", { bubbles: true })); // for Wagtail's controller
};

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-travel-at], [data-travel-as]")) show(target.closest("[data-travel]"));
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-travel-moment]");
  if (!button) return;
  const panel = button.closest("[data-travel]");
  panel.querySelector("[data-travel-at]").value = button.dataset.travelMoment;
  show(panel);
});
