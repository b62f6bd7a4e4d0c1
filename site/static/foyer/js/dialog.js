// Asks before an act that cannot be taken back. Attributes: README.md.

import { enhance } from "./enhance.js";

enhance("[data-dialog]", (opener) => {
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog?.showModal) return;
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
});
