// Which hand holds the phone: mirrors the buttons at the bottom, kept on this device.

const KEY = "foyer-door-hand";
const body = document.body;

const keep = (hand) => {
  try {
    localStorage.setItem(KEY, hand);
  } catch {
    return false; // storage may be forbidden; the choice then lasts for this page
  }
  return true;
};
const kept = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
};

const show = () => {
  for (const button of document.querySelectorAll("[data-hand]")) {
    button.hidden = false;
    button.setAttribute("aria-pressed", body.classList.contains("door--left"));
  }
};

body.classList.toggle("door--left", kept() === "left");
show();
body.addEventListener("htmx:afterSwap", show);
addEventListener("click", (event) => {
  if (!event.target.closest("[data-hand]")) return;
  keep(body.classList.toggle("door--left") ? "left" : "right");
  show();
});
