// The ticket form: asks about each ticket as soon as it is chosen, and says what is missing before the form is sent.
// Without this script the server asks and says the same, one step later.
//
//   <form data-ticket-form>
//     <div data-form-error hidden><p data-form-error-text></p></div>
//     <input type="number" data-persons-of="persons-1">
//     <div id="persons-1" data-persons>
//       <fieldset class="person">…</fieldset>                     those the server has drawn already
//       <template><fieldset class="person">… __n__ …</fieldset></template>
//     </div>
//     <fieldset data-choices data-missing="Choose beverage for ticket 1." data-error-id="…"> radios </fieldset>
//     <template data-error-icon><svg></svg></template>      drawn before each sentence
//     <input required data-missing="Write your e-mail address." data-wrong="Write an e-mail address such as …">
//   </form>

import { announceNew, enhance } from "../foyer/js/enhance.js";
import { followSale, goesToSignIn, keepChoices, watchOpening } from "./opening.js";

const MARK = /__n__/g;

const numbered = (template, number) => {
  const fresh = template.content.firstElementChild.cloneNode(true);
  const fill = (node) => {
    for (const attribute of node.attributes ?? []) {
      if (attribute.value.includes("__n__")) attribute.value = attribute.value.replace(MARK, number);
    }
    if (node.nodeType === Node.TEXT_NODE && node.data.includes("__n__")) node.data = node.data.replace(MARK, number);
    node.childNodes.forEach(fill);
  };
  fill(fresh);
  return fresh;
};

enhance("[data-ticket-form]", (form) => {
  form.noValidate = true;
  for (const button of form.querySelectorAll("[data-needs-script]")) button.hidden = false;
  watchOpening(form); // first: before the opening nothing else is said about what is sent
  const formError = form.querySelector("[data-form-error]");

  // --- One fieldset per ticket ---------------------------------------------------------------------------------
  const show = (input) => {
    const persons = document.getElementById(input.dataset.personsOf);
    const template = persons?.querySelector(":scope > template");
    if (!template) return;
    const wanted = Math.min(Number(input.max) || 0, Math.max(0, Math.trunc(Number(input.value)) || 0));
    const drawn = persons.querySelectorAll(":scope > .person").length;
    for (let number = drawn + 1; number <= wanted; number += 1) {
      const person = numbered(template, number);
      template.before(person);
      announceNew(person);
    }
    [...persons.querySelectorAll(":scope > .person")].forEach((person, index) => {
      person.hidden = person.disabled = index >= wanted;
    });
  };
  for (const input of form.querySelectorAll("[data-persons-of]")) show(input);
  // Before price.js, which adds up what is in the page.
  for (const name of ["input", "change"]) {
    form.addEventListener(name, ({ target }) => "personsOf" in target.dataset && show(target), { capture: true });
  }

  // --- What is missing ------------------------------------------------------------------------------------------
  const isAsked = (element) => !element.closest("[hidden]") && !element.closest("fieldset:disabled");

  const say = (place, id, className, text) => {
    let error = document.getElementById(id);
    if (!text) return error?.remove();
    if (!error) {
      error = document.createElement("p");
      error.id = id;
      error.className = className;
      const icon = form.querySelector("template[data-error-icon]")?.content.cloneNode(true);
      error.append(...(icon ? [icon] : []), document.createElement("span"));
      place.append(error);
    }
    error.lastElementChild.textContent = text;
    return undefined;
  };

  const checkChoices = (choices) => {
    const missing = isAsked(choices) && !choices.querySelector("input:checked");
    const id = choices.dataset.errorId;
    choices.classList.toggle("choices--error", missing);
    say(choices, id, "choices__error", missing ? choices.dataset.missing : "");
    if (missing) choices.setAttribute("aria-describedby", id);
    else choices.removeAttribute("aria-describedby");
    return missing ? choices.querySelector("input:not(:disabled)") : null;
  };

  const checkField = (input) => {
    const empty = input.value.trim() === "";
    const wrong = isAsked(input) && (empty || input.validity.typeMismatch);
    const id = `${input.id}-error`;
    input.closest(".field").classList.toggle("field--error", wrong);
    say(input.closest(".field"), id, "field__error", wrong ? (empty ? input.dataset.missing : input.dataset.wrong) : "");
    const others = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((other) => other && other !== id);
    input.setAttribute("aria-describedby", [...others, ...(wrong ? [id] : [])].join(" "));
    if (wrong) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    return wrong ? input : null;
  };

  const checkAll = () => {
    const numbers = [...form.querySelectorAll('input[name^="type-"]')];
    const none = numbers.length > 0 && numbers.every((input) => !(Number(input.value) > 0));
    if (formError) formError.hidden = !none;
    if (none) form.querySelector("[data-form-error-text]").textContent = form.dataset.none ?? "";
    const wrong = [...form.querySelectorAll("[data-choices], input[required][data-missing]")]
      .map((element) => (element.matches("input") ? checkField(element) : checkChoices(element)))
      .filter(Boolean);
    return none ? numbers[0] : wrong[0];
  };

  form.addEventListener(
    "submit",
    (event) => {
      if (goesToSignIn(event)) return;
      const first = checkAll();
      if (!first) return;
      event.preventDefault();
      first.focus();
    },
    { capture: true }, // before submit-once.js, which then leaves the button at rest
  );
  // What was wrong and is right now loses its sentence at once.
  form.addEventListener("change", ({ target }) => {
    const choices = target.closest(".choices--error");
    if (choices) checkChoices(choices);
    if (target.matches('[aria-invalid="true"][data-missing]')) checkField(target);
  });
  keepChoices(form);
  followSale(form);
});
