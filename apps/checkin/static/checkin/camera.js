// The phone's camera as a reader of codes. It tells the page what it sees with `door:code` {code}, up to ten times a
// second, and how it is with `door:camera` {state}; it knows nothing of tickets.
//
//   off -> starting -> running -> stalled -> starting …        refused, taken, none, failed, unreadable: until a tap
//
// It begins at a tap, or by itself where the browser says that it may. A camera that gives no new picture for three
// seconds (a call comes in, iOS freezes the page, a cable is loose) is started again, three times before it gives up. A
// page that nobody sees gives the camera back and takes it again when it is looked at.

const FRAME_MS = 100;
const STALL_MS = 3000;
const DECODE_MS = 5000; // the first picture waits for the reader to be compiled
const TRIES = 3;
const SIDE = 720; // pixels of the square that is looked at
const KEY = "foyer-door-camera";
const PROBLEMS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "taken",
  AbortError: "taken",
};

const section = document.querySelector("[data-camera]");
const video = section.querySelector("video");
const startButton = section.querySelector("[data-camera-start]");
const otherButton = section.querySelector("[data-camera-other]");
const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
let isWanted = false;
let attempt = 0; // a start that is overtaken by another one gives up
let restarts = 0;
let stream = null;
let timer = null;
let worker = null;
let isReady = false;
let askedAt = 0; // when the picture that the worker has was sent; 0 when it has none
let shownAt = 0; // when the last new picture came
let position = -1;
let isNew = false; // a picture came since the last look
let isLit = false;

const remembered = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden; the choice then lasts for this page
  }
};
const remember = (device) => {
  try {
    if (device) localStorage.setItem(KEY, device);
    else localStorage.removeItem(KEY);
  } catch {
    return false;
  }
  return true;
};

const say = (state) => {
  section.dataset.camera = state;
  document.body.classList.toggle("door--camera", ["starting", "running", "stalled"].includes(state));
  for (const sentence of section.querySelectorAll("[data-camera-says]")) {
    sentence.hidden = sentence.dataset.cameraSays !== state;
  }
  startButton.hidden = ["starting", "running", "stalled"].includes(state);
  showTorch();
  section.dispatchEvent(new CustomEvent("door:camera", { bubbles: true, detail: { state } }));
};

// --- The reader of codes ---------------------------------------------------------------------------------------------

const renewWorker = () => {
  worker?.terminate();
  isReady = false;
  askedAt = 0;
  worker = new Worker(section.dataset.worker);
  worker.addEventListener("message", ({ data }) => {
    askedAt = 0;
    if (data.ready) isReady = true;
    if (data.failed) unreadable();
    if (data.code) section.dispatchEvent(new CustomEvent("door:code", { bubbles: true, detail: { code: data.code } }));
  });
  worker.addEventListener("error", unreadable);
  const absolute = (address) => new URL(address, location.href).href;
  worker.postMessage({ reader: absolute(section.dataset.reader), wasm: absolute(section.dataset.wasm) });
};

// Nobody is told before they ask for the camera: the next start tries anew.
const unreadable = () => {
  worker?.terminate();
  worker = null;
  isReady = false;
  if (isWanted) giveUp("unreadable");
};

// The middle of the picture, as a square: what the preview shows.
const ask = (now) => {
  const side = Math.min(video.videoWidth, video.videoHeight);
  const size = Math.min(side, SIDE);
  canvas.width = canvas.height = size;
  context.drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, size, size);
  const image = context.getImageData(0, 0, size, size);
  askedAt = now;
  worker.postMessage({ image }, [image.data.buffer]);
};

// --- The camera ------------------------------------------------------------------------------------------------------

const stop = () => {
  clearInterval(timer);
  isLit = false;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
};

const giveUp = (state) => {
  attempt += 1;
  isWanted = false;
  stop();
  say(state);
};

const open = async () => {
  const device = remembered();
  const size = { width: { ideal: 1280 } };
  if (device) {
    try {
      return await navigator.mediaDevices.getUserMedia({ video: { deviceId: { exact: device }, ...size } });
    } catch (error) {
      if (PROBLEMS[error.name] !== "none") throw error;
      remember(null); // that camera is gone
    }
  }
  return navigator.mediaDevices.getUserMedia({ video: { facingMode: { ideal: "environment" }, ...size } });
};

const start = async () => {
  isWanted = true;
  attempt += 1;
  const mine = attempt;
  stop();
  say(restarts ? "stalled" : "starting");
  if (!navigator.mediaDevices?.getUserMedia) return giveUp("none");
  if (!worker) renewWorker();
  try {
    const opened = await open();
    if (mine !== attempt || document.hidden) {
      for (const track of opened.getTracks()) track.stop();
      return undefined;
    }
    stream = opened;
    for (const track of opened.getVideoTracks()) track.addEventListener("ended", restart);
    video.srcObject = opened;
    isNew = false;
    position = -1;
    shownAt = performance.now();
    timer = setInterval(look, FRAME_MS);
    await video.play();
  } catch (error) {
    // A play() that another start interrupts is no news.
    if (mine === attempt && !document.hidden) giveUp(PROBLEMS[error.name] ?? "failed");
  }
  return undefined;
};

const restart = () => {
  restarts += 1;
  if (restarts > TRIES) giveUp("failed");
  else start();
};

// The time of a film goes on when its pictures do not: only the callback knows. Browsers without it go by the time.
const sawPicture = () => {
  isNew = true;
  video.requestVideoFrameCallback(sawPicture);
};
const isPictureNew = () => {
  if (video.readyState < 2) return false;
  if (video.requestVideoFrameCallback) return isNew;
  return video.currentTime !== position;
};
// Some browsers spare themselves the pictures of a film that is scrolled away or covered.
const isCovered = () => video.getBoundingClientRect().bottom <= 0 || document.querySelector("dialog[open]") !== null;

const look = () => {
  const now = performance.now();
  if (isPictureNew()) {
    isNew = false;
    position = video.currentTime;
    shownAt = now;
    restarts = 0;
    if (section.dataset.camera !== "running") begun();
    if (isReady && !askedAt) ask(now);
  }
  if (askedAt && now - askedAt > DECODE_MS) renewWorker();
  if (isCovered()) shownAt = now;
  if (now - shownAt > STALL_MS) restart();
};

const begun = async () => {
  say("running");
  const devices = await navigator.mediaDevices.enumerateDevices();
  otherButton.hidden = devices.filter((device) => device.kind === "videoinput").length < 2;
};

const takeOther = async () => {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const cameras = devices.filter((device) => device.kind === "videoinput").map((device) => device.deviceId);
  const current = stream?.getVideoTracks()[0]?.getSettings().deviceId;
  remember(cameras[(cameras.indexOf(current) + 1) % cameras.length]);
  restarts = 0;
  start();
};

// --- The lamp --------------------------------------------------------------------------------------------------------

const showTorch = () => {
  const track = stream?.getVideoTracks()[0];
  const canShine = section.dataset.camera === "running" && Boolean(track?.getCapabilities?.().torch);
  for (const button of document.querySelectorAll("[data-torch]")) {
    button.hidden = !canShine;
    button.setAttribute("aria-pressed", isLit);
  }
};

const turnTorch = async () => {
  const [track] = stream?.getVideoTracks() ?? [];
  if (!track) return;
  try {
    await track.applyConstraints({ advanced: [{ torch: !isLit }] });
    isLit = !isLit;
  } catch {
    isLit = false; // promised by the phone, and not kept
  }
  showTorch();
};

// --- Taps and what happens to a phone --------------------------------------------------------------------------------

const startAnew = () => {
  restarts = 0;
  start();
};

const startIfAllowed = async () => {
  try {
    const permission = await navigator.permissions.query({ name: "camera" });
    if (permission.state === "granted") startAnew();
    permission.addEventListener("change", () => {
      if (permission.state === "granted" && !stream) startAnew();
    });
  } catch {
    return false; // this browser does not tell: a tap begins
  }
  return true;
};

startButton.addEventListener("click", startAnew);
otherButton.addEventListener("click", takeOther);
addEventListener("click", (event) => {
  if (event.target.closest("[data-torch]")) turnTorch();
});
document.body.addEventListener("htmx:afterSwap", showTorch);
document.body.addEventListener("door:screen", (event) => {
  if (event.detail.screen !== "ended") return;
  giveUp("off");
  section.hidden = true;
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (isWanted) startAnew();
});
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => {
  if (event.persisted && isWanted) startAnew();
});

section.hidden = false;
say("off");
video.requestVideoFrameCallback?.(sawPicture);
renewWorker(); // 400 kB that are there when the camera is
startIfAllowed();
