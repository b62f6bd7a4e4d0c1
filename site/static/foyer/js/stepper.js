// Minus and plus around a number input. What the page writes for it: README.md.

import { enhance } from "./enhance.js";

enhance("[data-stepper]", (stepper) => {
  const input = stepper.querySelector("input");
  const buttons = [...stepper.querySelectorAll("[data-step]")];
  const reason = document.getElementById(stepper.dataset.reasonId ?? "");
  const persons = document.getElementById(stepper.dataset.personsId ?? "");
  const min = Number(input.min || 0);
  const own = input.max === "" ? Infinity : Number(input.max);
  const form = stepper.closest("form[data-most]");
  const whole = (text) => Math.max(0, Math.trunc(Number(text)) || 0);
  const ofOthers = () =>
    [...form.querySelectorAll("[data-stepper] > input:not([data-price-extra])")]
      .filter((other) => other !== input)
      .reduce((sum, other) => sum + whole(other.value), 0);
  const isCounted = form !== null && !("priceExtra" in input.dataset);
  const most = () => (isCounted ? Math.max(0, Number(form.dataset.most) - ofOthers()) : Infinity);
  const value = () => Math.min(own, most(), Math.max(min, whole(input.value)));

  const why = (count) => {
    if (count >= own) return stepper.dataset.reason ?? "";
    return count >= most() ? form.dataset.mostReason : "";
  };
  const show = () => {
    const count = value();
    stepper.classList.toggle("stepper--chosen", count > 0);
    for (const button of buttons) {
      const isStuck = Number(button.dataset.step) < 0 ? count <= min : count >= Math.min(own, most());
      button.setAttribute("aria-disabled", isStuck);
    }
    if (reason) reason.textContent = count > 0 ? why(count) : "";
    [...(persons?.children ?? [])].forEach((person, index) => {
      person.hidden = person.disabled = index >= count;
    });
  };

  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      input.value = value() + Number(button.dataset.step);
      for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
    });
  }
  input.addEventListener("input", show);
  if (isCounted) form.addEventListener("input", (event) => event.target !== input && show());
  input.addEventListener("change", () => {
    input.value = value();
    show();
  });
  stepper.classList.add("stepper--ready");
  show();
});
