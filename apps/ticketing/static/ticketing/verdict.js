// Whether the tickets will last until this order is served, kept true while queue.js moves the place.
//
//   <div data-verdict data-wanted-ahead="251" data-ahead="213" data-left="330" data-own="2" data-held="40">
//     <div data-verdict-is="enough">… <span data-verdict-wanted>251</span> of <span data-verdict-left>330</span></div>
//     <div data-verdict-is="uncertain" hidden>… <span data-verdict-ahead></span> <span data-verdict-held></span></div>
//     <div data-verdict-is="short" hidden>…</div> <div data-verdict-is="nothing" hidden>…</div>
//   </div>
//
// Those ahead want as much each as they did when the page was made. The same rule as order_page.Place.verdict. When the
// verdict changes, its heading is said in the page's live region; the numbers are not.

import { enhance } from "../foyer/js/enhance.js";

const HELD_FOR_ONE_BACK = 5;

enhance("[data-verdict]", (verdict) => {
  const queue = verdict.closest("[data-queue]");
  const aheadNow = queue?.querySelector("[data-ahead-now]");
  const leftNow = queue?.querySelector("dd[data-left]");
  if (!aheadNow || !leftNow) return;
  const data = verdict.dataset;
  const each = Number(data.ahead) > 0 ? Number(data.wantedAhead) / Number(data.ahead) : 0;
  const own = Number(data.own);
  const held = () => Number(queue.dataset.heldNow ?? data.held);

  const say = (text) => {
    const region = queue.querySelector("[data-say]");
    if (region && text) region.textContent = text;
  };

  const show = () => {
    const left = Number(leftNow.textContent);
    const ahead = Number(aheadNow.textContent);
    const wanted = Math.round(ahead * each);
    if (Number.isNaN(left) || Number.isNaN(wanted)) return;
    const lack = wanted + own - left;
    const coming = Math.max(Math.ceil(held() / HELD_FOR_ONE_BACK), Math.floor(left / 4));
    const is = lack <= 0 ? "enough" : left <= 0 && held() <= 0 ? "nothing" : lack <= coming ? "uncertain" : "short";
    for (const part of verdict.querySelectorAll("[data-verdict-is]")) {
      const isShown = part.dataset.verdictIs === is;
      if (isShown && part.hidden) say(part.querySelector(".alert__title")?.textContent);
      part.hidden = !isShown;
    }
    for (const [name, number] of Object.entries({ ahead, wanted, left, held: held() })) {
      for (const place of verdict.querySelectorAll(`[data-verdict-${name}]`)) place.textContent = number;
    }
  };

  const observer = new MutationObserver(show);
  for (const number of [aheadNow, leftNow]) observer.observe(number, { childList: true, characterData: true, subtree: true });
  observer.observe(queue, { attributeFilter: ["data-held-now"] });
});
