// What the door shows: the page stays, the screen changes, each verdict has its colour and its tone.
//
// A verdict disappears as soon as the next code is on its way: a lost connection must never leave an old "IN" standing.
// After a code typed on a phone's own keyboard the field lets go of the focus: the keyboard would cover the answer. A
// reader that types is known by its speed, and may go on typing.

const TONES = { admitted: [[880, 0.12]], look: [[520, 0.12], [660, 0.16]], stop: [[180, 0.45]] };
const BUZZ = { admitted: [60], look: [80, 60, 80], stop: [350] };
const SCREENS = Object.keys(TONES);
const FAST_MS = 50; // between two keys of a reader
const body = document.body;
let audio;
let keys = [];
let wasReader = false;
let isVerdict = false;

const field = () => document.querySelector("[data-door-code]");
const focusField = () => field()?.focus({ preventScroll: true });
const typedByReader = () => keys.length > 3 && (keys[keys.length - 1] - keys[0]) / (keys.length - 1) < FAST_MS;
const hasPhoneKeyboard = () => matchMedia("(pointer: coarse)").matches;
const isOfScreen = (event) => event.detail.target?.id === "door-screen";

const wear = (screen) => {
  for (const name of [...SCREENS, "lost", "ended"]) body.classList.toggle(`door--${name}`, name === screen);
};

const sound = (screen) => {
  if (!(screen in TONES)) return;
  navigator.vibrate?.(BUZZ[screen]);
  if (!audio) return;
  let at = audio.currentTime;
  for (const [hertz, seconds] of TONES[screen]) {
    const tone = audio.createOscillator();
    tone.type = screen === "stop" ? "square" : "sine";
    tone.frequency.value = hertz;
    tone.connect(audio.destination);
    tone.start(at);
    tone.stop(at + seconds);
    at += seconds + 0.05;
  }
};

body.addEventListener("htmx:beforeRequest", (event) => {
  if (!isOfScreen(event)) return;
  body.setAttribute("aria-busy", "true");
  wear("");
});
body.addEventListener("door:screen", (event) => {
  body.removeAttribute("aria-busy");
  wear(event.detail.screen);
  sound(event.detail.screen);
  isVerdict = event.detail.screen in TONES;
  scrollTo(0, 0);
});
body.addEventListener("door:lost", (event) => {
  body.removeAttribute("aria-busy");
  wear("lost");
  isVerdict = false;
  if (event.detail.isFirst) sound("stop");
});
// A whole page in place of a screen (an undo that came too late asks why) is gone to. A pass that has ended answers 403
// with a screen of its own; any other refusal is an error.
body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  if (xhr.status === 200 && /^\s*<!doctype/i.test(xhr.responseText)) {
    event.detail.shouldSwap = false;
    location.assign(pathInfo.requestPath);
    return;
  }
  if (xhr.status !== 403 || !xhr.getResponseHeader("HX-Trigger-After-Swap")) return;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
// htmx gives the focus to what asks for it while it settles: ours is the last word.
body.addEventListener("htmx:afterSettle", (event) => {
  if (!isOfScreen(event)) return;
  if (hasPhoneKeyboard() && !wasReader) {
    if (isVerdict) document.activeElement?.blur();
  } else {
    focusField();
  }
});

// Browsers let a page make sounds once it has been touched; a phone call takes that back until the next touch.
for (const touch of ["pointerdown", "keydown"]) {
  addEventListener(touch, () => {
    audio ??= new AudioContext();
    if (audio.state !== "running") audio.resume();
  });
}

// A reader that types does not know where the focus is: whatever is typed outside a control goes to the field.
addEventListener("keydown", (event) => {
  if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
  const isControl = event.target.closest("input, textarea, select, dialog, summary");
  if (!isControl && !(event.key === " " && event.target !== body)) focusField();
  if (document.activeElement === field()) keys.push(event.timeStamp);
});
document.querySelector("[data-code-form]").addEventListener("submit", () => {
  wasReader = typedByReader();
  keys = [];
});
focusField();
sound(SCREENS.find((name) => body.classList.contains(`door--${name}`)));
