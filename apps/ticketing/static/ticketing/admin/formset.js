// Adds rows to Django formsets in the administration, also to formsets inside rows.
//
//   <section data-formset="variations">            prefix of the formset
//     <input name="variations-TOTAL_FORMS" …>      its management form
//     <div data-formset-rows> … </div>
//     <template data-formset-empty> … __prefix__ … </template>
//     <button type="button" data-formset-add>Add</button>   or one that submits, for those without JavaScript
//   </section>

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-formset-add]");
  if (!button) return;
  event.preventDefault(); // without JavaScript it may be a button of the form
  const formset = button.closest("[data-formset]");
  const prefix = formset.dataset.formset;
  const total = formset.querySelector(`[name="${CSS.escape(prefix)}-TOTAL_FORMS"]`);
  const number = Number(total.value);
  // Only this formset's own placeholder is filled; a formset inside the new row keeps its own.
  const html = formset
    .querySelector(":scope > [data-formset-empty]")
    .innerHTML.replaceAll(`${prefix}-__prefix__`, `${prefix}-${number}`);
  const rows = formset.querySelector(":scope > [data-formset-rows]");
  rows.insertAdjacentHTML("beforeend", html);
  total.value = number + 1;
  rows.lastElementChild.querySelector("input:not([type=hidden]), select")?.focus();
});
