// The running sum in the ticket block; the server's sum is the truth. What the page writes for it: README.md.
// Amounts as the site writes them: sv "1 234,50 kr", "−60 kr"; en "SEK 1,234.50".

import { enhance } from "./enhance.js";

const NO_BREAK = "\u00a0";

export function amount(minor, currency, language = document.documentElement.lang) {
  const isSwedish = language.startsWith("sv");
  const whole = Math.floor(Math.abs(minor) / 100);
  const cents = Math.abs(minor) % 100;
  const grouped = String(whole).replace(/\B(?=(\d{3})+$)/g, isSwedish ? NO_BREAK : ",");
  const number = cents ? `${grouped}${isSwedish ? "," : "."}${String(cents).padStart(2, "0")}` : grouped;
  const sign = minor < 0 ? "\u2212" : "";
  if (!isSwedish) return `${sign}${currency}${NO_BREAK}${number}`;
  return `${sign}${number}${NO_BREAK}${currency === "SEK" ? "kr" : currency}`;
}

const line = (name, text, isLess) => {
  const row = document.createElement("div");
  row.className = isLess ? "breakdown__line breakdown__line--less" : "breakdown__line";
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  term.textContent = name;
  value.textContent = text;
  row.append(term, value);
  return row;
};

enhance("[data-price]", (form) => {
  const currency = form.dataset.currency ?? "SEK";
  const button = form.querySelector("[data-price-button]");

  const show = (event) => {
    let sum = 0;
    let count = 0;
    const rows = [];
    for (const input of form.querySelectorAll("[data-price-minor]")) {
      if (input.matches(":disabled") || input.closest("[hidden]")) continue;
      const price = Number(input.dataset.priceMinor);
      const name = input.dataset.priceName ?? "";
      if (input.type === "radio" || input.type === "checkbox") {
        if (!input.checked) continue;
        sum += price;
        if (price !== 0) rows.push(line(name, amount(price, currency), price < 0));
      } else {
        const number = Math.max(0, Math.trunc(Number(input.value)) || 0);
        if (!("priceExtra" in input.dataset)) count += number;
        sum += number * price;
        if (number > 0) rows.push(line(`${number} × ${name}`, amount(number * price, currency), false));
      }
    }
    // Looked up each time: where the server tells the sum, htmx puts new ones in their place.
    const isTold = !event && form.querySelector("[data-price-told]");
    const total = isTold ? null : form.querySelector("[data-price-total]");
    const lines = isTold ? null : form.querySelector("[data-price-lines]");
    if (total) total.textContent = amount(Math.max(0, sum), currency);
    lines?.replaceChildren(...rows);
    for (const part of form.querySelectorAll("[data-price-sum]")) part.hidden = count === 0;
    if (button) {
      const { textNone, textOne, textMany } = button.dataset;
      const text = count === 0 ? textNone : count === 1 ? textOne : textMany?.replace("{count}", count);
      const label = button.querySelector("[data-label]") ?? button;
      if (text && button.getAttribute("aria-busy") !== "true") label.textContent = text;
    }
  };

  form.addEventListener("input", show);
  form.addEventListener("change", show);
  show();
});
