// Hears of a sale that is paused, moved, ended or goes on, where queue.js does not, and stops and starts the clocks of
// holds. Attributes and messages: README.md.

import { enhance } from "./enhance.js";

const between = (low, high) => low + Math.random() * (high - low);
const hear = (news) => document.dispatchEvent(new CustomEvent("sale:news", { detail: news }));

// --- The clock of a hold -------------------------------------------------------------------------------------------

const judge = (hold, state) => {
  if (state === "paused" || state === "moved") return hold.dispatchEvent(new CustomEvent("countdown:stop"));
  const ask = async (tries) => {
    try {
      const answer = await fetch(hold.dataset.holdUrl, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status);
      const { until, now } = await answer.json();
      if (until) hold.dispatchEvent(new CustomEvent("countdown:go", { detail: { until, now } }));
    } catch {
      if (tries > 0) setTimeout(ask, between(1000, 3000), tries - 1);
    }
  };
  return setTimeout(ask, between(0, 1500), 5); // not all phones at once
};

document.addEventListener("sale:changed", ({ detail }) => {
  for (const hold of document.querySelectorAll("[data-countdown][data-hold-url]")) judge(hold, detail.state);
});

// --- Hearing of it: one stream for all tabs of the event, else asking every few seconds -------------------------------

enhance("[data-sale][data-poll-url]", (notice) => {
  const { liveUrl, pollUrl } = notice.dataset;
  let timer = null;

  const poll = async () => {
    const own = timer; // whoever stops and starts again meanwhile has begun another round
    if (!notice.isConnected) return;
    try {
      const answer = await fetch(pollUrl, { headers: { Accept: "application/json" }, credentials: "omit" });
      if (answer.ok) hear(await answer.json());
    } catch {
      // Asked again in a moment.
    }
    if (timer !== own) return; // the stream came meanwhile, or another round did
    timer = setTimeout(poll, document.hidden ? between(20_000, 30_000) : between(2000, 3000));
  };
  const startPolling = (soon) => {
    if (timer === null) timer = setTimeout(poll, soon ? between(100, 1500) : between(2000, 3000));
  };
  const stopPolling = () => {
    clearTimeout(timer);
    timer = null;
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || timer === null || !notice.isConnected) return;
    stopPolling();
    startPolling(true);
  });
  // Beside queue.js, which listens: while it hears no stream it asks seldom, and so the sale is asked for here.
  if ("besideQueue" in notice.dataset) {
    return document.addEventListener("queue:polls", ({ detail }) => (detail ? startPolling(true) : stopPolling()));
  }
  if (!liveUrl || !window.EventSource) return startPolling(false);

  const name = `foyer:sale:${pollUrl}`;
  const channel = window.BroadcastChannel ? new BroadcastChannel(name) : null;
  if (channel) channel.onmessage = ({ data }) => hear(JSON.parse(data));
  const stream = () =>
    new Promise((release) => {
      const source = new EventSource(liveUrl);
      const gone = setInterval(() => notice.isConnected || stop(), 5000);
      const stop = () => {
        clearInterval(gone);
        source.close();
        release();
      };
      source.onopen = stopPolling;
      source.addEventListener("sale", (event) => {
        channel?.postMessage(event.data);
        hear(JSON.parse(event.data));
      });
      source.onerror = () => {
        startPolling(true);
        if (source.readyState === EventSource.CLOSED) stop(); // refused: from now on it is asked for
      };
    });
  // A page whose stream is another tab's hears by that tab, and asks nothing.
  if (channel && navigator.locks) navigator.locks.request(name, () => notice.isConnected && stream());
  else stream();
  return undefined;
});
