// A form that is there before its sale opens: it can be filled in, and its button works from that second on, by the
// server's clock. Nothing is asked of the server in that second. Without this script the button always works, and the
// server says when it was too early.
//
//   <form data-ticket-form data-opening data-now="2026-11-28T11:58:00Z" data-opens-at="…" data-event="<public id>"
//         data-status-url="…" data-fragment-url="…" data-resend data-filled>
//     <div data-until-open>shown before</div> <span data-when-open hidden>shown after</span>
//     <section data-opens-at="2026-11-28T12:00:00Z" data-opens-words="today at 12:00"> … input name="type-<id>" … </section>
//     <p data-locked-note data-text="Opens {time}. …">why the button does not work</p>
//     <p role="status" data-opening-say data-text-open="The sale is open."></p>
//     <button data-price-button>
//   </form>
//
// Several types may open at different times: the button works when all that is chosen is open. data-resend: sent too
// early a moment ago, so it is sent by itself at the opening unless something is changed. data-filled: the server has
// drawn what was sent. What is chosen survives a reload (in this tab's storage, until it is sent).

import { announceNew } from "../foyer/js/enhance.js";

const LATE = 30_000; // woken so long after the opening, the form is drawn anew: much may be gone
const LONGEST_TIMER = 3_600_000;
const between = (low, high) => low + Math.random() * (high - low);
const momentOf = (element) => Date.parse(element?.dataset.opensAt ?? "") || 0;

// Whoever goes to sign in orders nothing: the server keeps what is chosen, finished or not.
export const goesToSignIn = (event) => event.submitter?.name === "sign_in";

// --- The lock ------------------------------------------------------------------------------------------------------

export function watchOpening(form) {
  if (!("opening" in form.dataset)) return;
  const button = form.querySelector("[data-price-button]");
  const note = form.querySelector("[data-locked-note]");
  const say = form.querySelector("[data-opening-say]");
  const inputs = [...form.querySelectorAll('input[name^="type-"]')];
  const gates = [form, ...form.querySelectorAll("[data-opens-at]")].filter((element) => momentOf(element));
  const opened = new Set();
  // Each answer was written before it was read, so each gives a time the server's clock has reached at least. The
  // highest of them is the nearest to it, and never early.
  let ahead = Date.parse(form.dataset.now) - Date.now();
  let timer = null;
  let plan = null;
  const now = () => Date.now() + ahead;

  const rowOf = (input) => input.closest("[data-opens-at].type-row");
  const chosen = () => inputs.filter((input) => Number(input.value) > 0);
  // The row the button waits for: the last of what is chosen, else the first that opens.
  const waitsFor = () => {
    const rows = (chosen().length > 0 ? chosen() : inputs).map(rowOf);
    if (rows.some((row) => !row) && chosen().length === 0) return null;
    const byTime = rows.filter(Boolean).sort((one, other) => momentOf(one) - momentOf(other));
    return (chosen().length > 0 ? byTime[byTime.length - 1] : byTime[0]) ?? null;
  };
  const isLocked = () => momentOf(waitsFor()) > now();

  const open = (gate) => {
    opened.add(gate);
    const own = (part) => part.closest("[data-opens-at]") === gate;
    for (const part of [...gate.querySelectorAll("[data-until-open]")].filter(own)) part.hidden = true;
    for (const part of [...gate.querySelectorAll("[data-when-open]")].filter(own)) part.hidden = false;
  };

  let wasLocked = false;
  const show = () => {
    if (!form.isConnected) return;
    clearTimeout(timer);
    for (const gate of gates) if (!opened.has(gate) && momentOf(gate) <= now()) open(gate);
    const row = waitsFor();
    const locked = momentOf(row) > now();
    if (button) {
      if (locked) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
    if (note) {
      note.hidden = !locked;
      if (locked) note.textContent = note.dataset.text.replace("{time}", row.dataset.opensWords ?? "");
    }
    if (wasLocked && !locked) {
      if (say) say.textContent = say.dataset.textOpen;
      if ("resend" in form.dataset) setTimeout(() => "resend" in form.dataset && button.click(), between(100, 900));
    }
    wasLocked = locked;
    const next = Math.min(...gates.filter((gate) => !opened.has(gate)).map(momentOf));
    if (next < Infinity) timer = setTimeout(show, Math.min(LONGEST_TIMER, Math.max(1, Math.ceil(next - now()))));
  };

  // --- Asked now and then: the clock, and whether an opening was moved ----------------------------------------------
  const isMoved = (input, told) => {
    const shown = momentOf(rowOf(input));
    const then = told ? Date.parse(told) : 0;
    return shown !== then && Math.max(shown, then) > now();
  };

  const ask = async ({ anew = false } = {}) => {
    clearTimeout(plan);
    try {
      const answer = await fetch(form.dataset.statusUrl, { cache: "no-store", credentials: "omit" });
      if (!answer.ok) throw new Error(answer.status);
      const news = await answer.json();
      const heard = Date.parse(news.now) - Date.now();
      ahead = anew ? heard : Math.max(ahead, heard);
      const idOf = (input) => input.name.replace("type-", "");
      const moved = inputs.some((input) => idOf(input) in news.opens && isMoved(input, news.opens[idOf(input)]));
      if (moved && (await drawAnew(form))) return;
      form.dispatchEvent(new CustomEvent("opening:clock", { detail: { ahead } }));
    } catch {
      // Without an answer the page's own reckoning holds.
    }
    show();
    askLater();
  };
  const askLater = () => {
    clearTimeout(plan);
    if (!form.isConnected || opened.size === gates.length) return;
    const left = Math.min(...gates.filter((gate) => !opened.has(gate)).map(momentOf)) - now();
    // Once more in the last minute, not all phones at once, and never in the opening seconds.
    const wait = left > 90_000 ? between(60_000, Math.min(90_000, left - 15_000)) : between(0, left - 10_000);
    if (wait > 1000) plan = setTimeout(() => (document.hidden ? askLater() : ask()), wait);
  };

  const wake = async () => {
    if (!form.isConnected) return;
    const missed = gates.some((gate) => !opened.has(gate) && now() - momentOf(gate) > LATE);
    show();
    if (missed && (await drawAnew(form))) return;
    if (opened.size < gates.length) ask({ anew: true });
  };
  const awake = () => (form.isConnected ? document.hidden || wake() : document.removeEventListener("visibilitychange", awake));
  document.addEventListener("visibilitychange", awake);
  window.addEventListener("pageshow", (event) => event.persisted && wake());
  window.addEventListener("online", () => form.isConnected && opened.size < gates.length && ask());

  form.addEventListener("input", (event) => {
    if (event.isTrusted && "resend" in form.dataset) {
      delete form.dataset.resend;
      form.querySelector("[data-resend-note]")?.remove();
    }
    show();
  });
  form.addEventListener("change", show);
  form.addEventListener(
    "submit",
    (event) => {
      if (goesToSignIn(event) || !isLocked()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (say && note) say.textContent = note.textContent;
    },
    { capture: true },
  );
  show();
  askLater();
}

// When the organiser moves or ends the sale, the form is drawn as it is then; what holds is told at once by sale.js.
export function followSale(form) {
  document.addEventListener("sale:changed", ({ detail }) => {
    const isOther = detail.state === "moved" || detail.state === "ended";
    if (isOther && form.isConnected) setTimeout(() => form.isConnected && drawAnew(form), between(0, 8000));
  });
}

// Draw the block as the server sees it now, with what was chosen and the focus kept. False when it cannot be had.
async function drawAnew(form) {
  try {
    const answer = await fetch(form.dataset.fragmentUrl ?? form.action, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector(".ticket-block");
    if (!fresh || !form.isConnected) return false;
    save(form);
    const focused = form.contains(document.activeElement) ? document.activeElement : null;
    if ("resend" in form.dataset) fresh.dataset.resend = "";
    form.replaceWith(fresh);
    announceNew(fresh);
    if (focused?.name) fresh.querySelector(`[name="${CSS.escape(focused.name)}"]`)?.focus();
    return true;
  } catch {
    return false;
  }
}

// --- What is chosen is kept ----------------------------------------------------------------------------------------

const KEPT = /^(type|choice|extra|guest)-|^(email|fewer_is_fine)$/;
const storeOf = (form) => `foyer:choices:${form.dataset.event}`;
const fieldsOf = (form) => [...form.elements].filter((field) => KEPT.test(field.name ?? ""));

const save = (form) => {
  const kept = fieldsOf(form)
    .filter((field) => !field.matches("fieldset:disabled *"))
    .filter((field) => field.type !== "radio" || field.checked)
    .map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]);
  try {
    sessionStorage.setItem(storeOf(form), JSON.stringify(kept));
  } catch {
    // Storage may be forbidden; then a reload begins anew.
  }
};

const take = (form) => {
  try {
    return JSON.parse(sessionStorage.getItem(storeOf(form)) ?? "[]");
  } catch {
    return [];
  }
};

const put = (form, name, value) => {
  const fields = fieldsOf(form).filter((field) => field.name === name);
  for (const field of fields) {
    if (field.disabled) continue;
    if (field.type === "hidden") continue;
    if (field.type === "radio") field.checked = field.value === value;
    else if (field.type === "checkbox") field.checked = value;
    else field.value = value;
  }
  for (const kind of ["input", "change"]) fields[0]?.dispatchEvent(new Event(kind, { bubbles: true }));
};

// Call it when the form draws the persons it asks about by itself. What the server has drawn goes before.
export function keepChoices(form) {
  if (!("filled" in form.dataset)) {
    const kept = take(form);
    for (const isNumber of [true, false]) {
      for (const [name, value] of kept) if (name.startsWith("type-") === isNumber) put(form, name, value);
    }
  }
  const keep = () => "opening" in form.dataset && save(form);
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented || goesToSignIn(event)) return;
    try {
      sessionStorage.removeItem(storeOf(form));
    } catch {
      // Nothing was kept then.
    }
  });
}
