// Keeps the phone awake while its camera looks for codes. A phone that cannot is none the worse: it falls asleep as usual.

let lock = null;
let isWanted = false;

const hold = async () => {
  if (!isWanted || lock || document.hidden || !navigator.wakeLock) return;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => { lock = null; });
    if (!isWanted) lock.release();
  } catch {
    lock = null; // low battery, or not allowed
  }
};

document.body.addEventListener("door:camera", (event) => {
  isWanted = event.detail.state === "running";
  if (isWanted) hold();
  else lock?.release();
});
document.addEventListener("visibilitychange", hold);
