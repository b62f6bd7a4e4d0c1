// The challenge of a ticket form: solved in a worker from the moment the form is shown, so that it is ready when the
// buyer is. Whoever presses sooner waits, and the form is then sent by itself. Markup: block/challenge.html.

import { enhance } from "../foyer/js/enhance.js";

const PATIENCE_MS = 3000; // longer than this, and other ways are offered

enhance("[data-challenge]", (box) => {
  const form = box.closest("form");
  const status = box.querySelector("[data-challenge-status]");
  const ways = box.querySelector("[data-challenge-ways]");
  const answer = box.querySelector('input[name="answer"]');
  const { seed, hardness, pieces, worker: address } = box.dataset;
  let waiting = null; // the button that was pressed too soon
  let isUnable = false;

  const say = (words) => {
    if (status.textContent !== words) status.textContent = words;
  };
  const giveUp = () => {
    isUnable = true;
    waiting = null;
    say(box.dataset.sayUnable);
    ways.hidden = false;
  };
  const hear = ({ data }) => {
    if (data.answer) {
      answer.value = data.answer;
      say(box.dataset.sayReady);
      ways.hidden = true;
      if (waiting && form.isConnected) waiting.click();
      waiting = null;
      return;
    }
    // A quarter is done: enough to foresee the rest.
    const left = (data.ms / data.done) * (pieces - data.done);
    if (data.done >= pieces / 4 && data.ms + left > PATIENCE_MS && ways.hidden) {
      say(box.dataset.saySlow.replace("{seconds}", Math.max(1, Math.round(left / 1000))));
      ways.hidden = false;
    }
  };

  ways.hidden = true;
  say(box.dataset.sayWorking);
  try {
    const worker = new Worker(address);
    worker.onmessage = hear;
    worker.onerror = giveUp;
    worker.postMessage({ seed, hardness: Number(hardness), pieces: Number(pieces) });
  } catch {
    giveUp();
  }

  form.addEventListener("submit", (event) => {
    // After those that ask what is missing; and whoever takes another way need not wait.
    if (event.defaultPrevented || answer.value || isUnable || event.submitter?.name === "proof") return;
    event.preventDefault();
    waiting = event.submitter ?? form.querySelector("button:not([type])");
    say(box.dataset.saySoon);
  });
});
