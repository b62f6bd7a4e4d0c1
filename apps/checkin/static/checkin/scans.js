// The one road from a code to the server, for codes that are seen, typed or read: one at a time, in order.
//
// Each scan has an id of its own, made here, so that a scan sent twice is one scan. One that got no answer is kept: "Try
// again", the same code typed, the net coming back, or the same code still before the camera send it once more under
// the same id, marked as a repeat, which the house answers as it would have the first time. After a minute only a person
// does: the guest may have left. Nothing else is sent until it has its answer: no guest is forgotten for the next one.
//
// A code that is held before the camera is sent once; it counts as new when it was out of sight for three seconds. A
// camera sees a code ten times a second: while a request is under way what it sees is dropped, what was typed waits.

const AWAY_MS = 3000;
const UNASKED_MS = 60_000; // after the loss; by the clock on the wall, for a phone that slept meanwhile
const body = document.body;
const screen = document.querySelector("#door-screen");
const codeForm = document.querySelector("[data-code-form]");
const carrier = document.querySelector("[data-scan-form]");
const lostScreen = document.querySelector("[data-door-lost]");
const waiting = [];
const inSight = new Map(); // code -> when it was seen last
let underWay = 0; // requests for the screen
let scan = null; // the latest, until it is answered
let lost = null; // {form, scan, since, at, screen}: what got no answer, first and latest time

const newId = () => {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // a page without https, in the demo
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};

const send = (next) => {
  scan = next;
  carrier.elements.code.value = scan.code;
  carrier.elements.scan.value = scan.id;
  htmx.trigger(carrier, "submit");
};

const sendAgain = () => {
  if (!lost || underWay) return;
  if (lost.form === carrier) send(lost.scan);
  else {
    screen.replaceChildren(...lost.screen);
    htmx.trigger(lost.form, lost.form.matches("form") ? "submit" : "click");
  }
};

const sendAgainUnasked = () => {
  if (lost && Date.now() - lost.since < UNASKED_MS) sendAgain();
};

const sendNext = () => {
  if (waiting.length && !underWay && !lost) send({ code: waiting.shift(), id: newId() });
};

const seen = (code) => {
  const now = performance.now();
  const isUnanswered = lost?.scan?.code === code;
  const isHeld = isUnanswered || now - (inSight.get(code) ?? -Infinity) < AWAY_MS;
  if (!isHeld && (underWay || lost || document.querySelector("dialog[open]"))) return;
  for (const [other, at] of inSight) if (now - at >= AWAY_MS) inSight.delete(other);
  inSight.set(code, now);
  if (!isHeld) send({ code, id: newId() });
  else if (isUnanswered && now - lost.at >= AWAY_MS) sendAgainUnasked();
};

codeForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const code = codeForm.elements.code.value;
  codeForm.reset();
  codeForm.elements.code.removeAttribute("aria-invalid");
  if (lost?.scan?.code === code) {
    sendAgain();
    return;
  }
  waiting.push(code);
  if (lost) sendAgainUnasked();
  else sendNext();
});

body.addEventListener("door:code", (event) => seen(event.detail.code));
body.addEventListener("htmx:configRequest", (event) => {
  const { elt, verb, parameters } = event.detail;
  if (elt === lost?.form && verb === "post") parameters.again = "1";
});
body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target === screen) underWay += 1;
});
body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.target !== screen) return;
  if (event.detail.xhr.getResponseHeader("HX-Redirect")) return; // the page is being left: nothing more is sent
  underWay -= 1;
  const form = event.detail.elt;
  if (event.detail.successful) {
    lost = null;
  } else {
    const isFirst = lost?.form !== form;
    const first = isFirst ? { since: Date.now(), screen: [...screen.childNodes] } : lost;
    lost = { ...first, form, scan: form === carrier ? scan : null, at: performance.now() };
    screen.replaceChildren(lostScreen.content.cloneNode(true));
    body.dispatchEvent(new CustomEvent("door:lost", { detail: { isFirst } }));
  }
  setTimeout(sendNext);
});
addEventListener("click", (event) => {
  if (event.target.closest("[data-scan-again]")) sendAgain();
});
addEventListener("online", sendAgainUnasked);
addEventListener("pageshow", (event) => {
  if (event.persisted) underWay = 0; // come back to a page that was being left
});
