// The time left until a moment, by the server's clock; the phone's own may be wrong. Attributes: README.md.

import { enhance } from "./enhance.js";

const two = (number) => String(number).padStart(2, "0");

enhance("[data-countdown]", (element) => {
  let until = Date.parse(element.dataset.until);
  let ahead = element.dataset.now ? Date.parse(element.dataset.now) - Date.now() : 0;
  if (Number.isNaN(until) || Number.isNaN(ahead)) return;

  const block = element.dataset.block ?? element.classList[0];
  const soon = Number(element.dataset.soon ?? 120);
  const all = (selector) => [...element.querySelectorAll(selector)];
  const cells = all("[data-cell]");
  const say = element.querySelector("[data-say]");
  let stoppedAt = "stopped" in element.dataset ? Date.now() + ahead : null;
  const secondsLeft = () => Math.ceil((until - (stoppedAt ?? Date.now() + ahead)) / 1000);
  let toSay = [5, 2, 1].filter((minutes) => secondsLeft() > minutes * 60);
  let timer = null;

  const write = (cell, text) => {
    const number = cell.querySelector(".countdown__number") ?? cell;
    if (number.textContent !== text) number.textContent = text;
  };

  const show = () => {
    const left = Math.max(0, secondsLeft());
    const days = Math.floor(left / 86400);
    const parts = {
      days: String(days),
      hours: two(Math.floor(left / 3600) % 24),
      minutes: two(Math.floor(left / 60) % 60),
      seconds: left < 60 ? String(left) : two(left % 60),
      clock: `${two(Math.floor(left / 60))}:${two(left % 60)}`,
    };
    for (const cell of cells) {
      const part = cell.dataset.cell;
      write(cell, parts[part]);
      cell.hidden = (part === "days" && days === 0) || (left < 60 && (part === "hours" || part === "minutes"));
    }
    element.classList.toggle(`${block}--soon`, left > 0 && left <= soon);
    element.classList.toggle(`${block}--last`, left > 0 && left < 60);
    const due = toSay.find((minutes) => left <= minutes * 60);
    if (due) {
      toSay = toSay.filter((minutes) => minutes < due);
      if (say) say.textContent = element.getAttribute(`data-say-${due}`) ?? "";
    }
    if (left === 0) finish();
  };

  const finish = () => {
    clearInterval(timer);
    element.classList.remove(`${block}--soon`, `${block}--last`);
    element.classList.add(`${block}--due`);
    for (const part of all("[data-running]")) part.hidden = true;
    for (const part of all("[data-due]")) part.hidden = false;
    if (element.id) {
      for (const part of document.querySelectorAll(`[data-before="${element.id}"]`)) part.hidden = true;
      for (const part of document.querySelectorAll(`[data-after="${element.id}"]`)) part.hidden = false;
    }
    if (say) say.textContent = element.dataset.sayDue ?? "";
    element.dispatchEvent(new CustomEvent("countdown:due", { bubbles: true }));
    if ("reload" in element.dataset) setTimeout(() => location.reload(), Math.random() * 3000);
  };

  // Whoever knows the server's clock better says so.
  element.closest("[data-opening]")?.addEventListener("opening:clock", (event) => {
    ahead = event.detail.ahead;
  });
  const run = () => {
    clearInterval(timer);
    for (const part of all("[data-goes]")) part.hidden = stoppedAt !== null;
    element.classList.toggle(`${block}--stopped`, stoppedAt !== null);
    for (const part of all("[data-stands]")) part.hidden = stoppedAt === null;
    if (stoppedAt === null) timer = setInterval(() => (element.isConnected ? show() : clearInterval(timer)), 1000);
    show();
  };
  element.addEventListener("countdown:stop", () => {
    stoppedAt ??= Date.now() + ahead;
    run();
  });
  element.addEventListener("countdown:go", ({ detail }) => {
    until = Date.parse(detail.until);
    ahead = Date.parse(detail.now) - Date.now();
    stoppedAt = null;
    run();
  });

  for (const part of all("[data-still]")) part.hidden = true;
  for (const part of all("[data-running]")) part.hidden = false;
  run();
});
