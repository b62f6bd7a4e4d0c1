// A form that is sent once: its button shows it and keeps its width. Attributes: README.md.

import { enhance } from "./enhance.js";

const busy = (form, button) => {
  form.dataset.sent = "";
  if (!button) return;
  button.style.minInlineSize = `${button.offsetWidth}px`;
  button.setAttribute("aria-busy", "true");
  const label = button.querySelector("[data-label]") ?? button;
  if (button.dataset.busyText) {
    button.dataset.restText = label.textContent;
    label.textContent = button.dataset.busyText;
  }
};

const rest = (form) => {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll('[aria-busy="true"]')) {
    button.removeAttribute("aria-busy");
    button.style.minInlineSize = "";
    const label = button.querySelector("[data-label]") ?? button;
    if (button.dataset.restText) label.textContent = button.dataset.restText;
  }
};

const buttonOf = (form) => form.querySelector('button[type="submit"], button:not([type])');

enhance("form[data-submit-once]", (form) => {
  form.addEventListener(
    "submit",
    (event) => {
      if ("sent" in form.dataset) {
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
      // After the other listeners: a submit that one of them stopped leaves the button at rest.
      setTimeout(() => event.defaultPrevented || busy(form, event.submitter ?? buttonOf(form)));
    },
    { capture: true },
  );
  // Back from the next page: the form may be sent again.
  window.addEventListener("pageshow", (event) => event.persisted && rest(form));
  // Sent by htmx: its answer puts the button to rest.
  form.addEventListener("htmx:beforeRequest", (event) => event.detail.elt === form && busy(form, buttonOf(form)));
  form.addEventListener("htmx:afterRequest", (event) => event.detail.elt === form && rest(form));
});
