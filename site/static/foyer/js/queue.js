// Keeps the place in line true while one waits. Attributes and messages: README.md.

import { announceNew, enhance } from "./enhance.js";

const isSwedish = document.documentElement.lang.startsWith("sv");
const clock = () => {
  const text = new Date().toTimeString().slice(0, 8);
  return isSwedish ? text.replaceAll(":", ".") : text;
};
const fill = (text, facts) => (text ?? "").replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
const seconds = (low, high) => (low + Math.random() * (high - low)) * 1000;

enhance("[data-queue]", (queue) => {
  const data = queue.dataset;
  const part = (name) => queue.querySelector(`[data-${name}]`);
  const ahead = Number(data.ahead);
  const aheadAtStart = Math.max(ahead, Number(data.aheadAtStart ?? ahead));
  const decidedThen = Number(data.decided ?? 0);
  let place = ahead + 1;
  let rate = Number(data.rate ?? 0);
  let lastHeard = clock();
  let lastSaid = Date.now();
  let saidPlace = place;
  const isQueued = (data.state ?? "queued") === "queued";
  let waiting = null;
  let lastProgress = 0;
  let lastAsked = 0;
  const startedAt = Date.now();
  let pollTimer = null;
  let isOver = false;

  const write = (name, text) => {
    const target = part(name);
    if (target && target.textContent !== String(text)) target.textContent = text;
  };

  const wait = () => {
    if (!(rate > 0)) return data.textUnknown ?? "–";
    const about = place / rate / 60;
    if (about < 0.7) return data.textUnder ?? "";
    const low = Math.max(1, Math.floor(about * 0.8));
    return fill(data.textMinutes, { low, high: Math.max(low + 1, Math.ceil(about * 1.3)) });
  };

  const show = () => {
    write("place", place);
    write("ahead-now", place - 1);
    write("wait", wait());
    const served = aheadAtStart > 0 ? (aheadAtStart - (place - 1)) / aheadAtStart : 1;
    const candles = [...(part("candles")?.children ?? [])];
    const before = candles.findIndex((candle) => candle.classList.contains("candle--you"));
    candles.forEach((candle, index) => {
      if (index < before) candle.classList.toggle("candle--lit", index < Math.round(served * before));
    });
    if (Date.now() - lastSaid > 30_000 && place !== saidPlace) {
      lastSaid = Date.now();
      saidPlace = place;
      write("say", fill(data.textSay, { place, ahead: place - 1 }));
    }
  };

  const heard = () => {
    lastHeard = clock();
    queue.classList.remove("queue--lost");
    write("last", fill(data.textLive, { time: lastHeard }));
  };

  const lost = () => {
    queue.classList.add("queue--lost");
    write("last", fill(data.textLost, { time: lastHeard }));
  };

  const progress = (news) => {
    if (typeof news.rate === "number") rate = news.rate;
    // Who waits for places to come back is served by those, and not by what is decided behind.
    if (typeof news.ahead === "number") place = Math.max(1, Math.min(place, news.ahead + 1));
    else if (isQueued && typeof news.decided === "number") {
      place = Math.max(1, Math.min(place, ahead + 1 - (news.decided - decidedThen)));
    }
    if (typeof news.left === "number") write("left", news.left);
    // A stream for all leaves out what is hidden: then the page keeps what it was told when it asked itself.
    const tellsOwn = data.scarcest && news.quotas && data.scarcest in news.quotas;
    if (tellsOwn) write("left", news.quotas[data.scarcest]);
    if (tellsOwn && news.held_quotas) {
      data.heldNow = news.held_quotas[data.scarcest] ?? 0;
      write("held", data.heldNow);
    }
    heard();
    show();
    // More were decided than stood before us: the result is out, and its message may have been lost. Ask, once in a while.
    if (part("place") && news.decided - decidedThen > ahead) askSoon(10_000, 1, 4);
    // Somebody in line was served or left: was it before us?
    if (!isQueued && typeof news.waiting === "number") {
      if (waiting !== null && news.waiting < waiting && place > 1) askSoon(20_000, 1, 15);
      waiting = news.waiting;
    }
  };

  const finish = async () => {
    if (isOver) return;
    isOver = true;
    clearTimeout(pollTimer);
    if (!data.fragmentUrl) return location.reload();
    try {
      const answer = await fetch(data.fragmentUrl, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.body.firstElementChild;
      if (fresh.dataset.title) document.title = fresh.dataset.title;
      queue.replaceWith(fresh);
      announceNew(fresh);
      const heading = fresh.querySelector("h1, h2");
      heading?.setAttribute("tabindex", "-1");
      heading?.focus();
    } catch {
      location.reload(); // the page itself knows the result as well
    }
  };

  const result = (news) => {
    if (news.order === data.order) finish();
  };

  // What holds for the whole sale is shown by sale.js; while it stands still nobody can say how long the wait is.
  const judge = (news) => {
    if (news.state === "paused" || news.state === "moved") rate = 0;
    show();
  };
  const sale = (news) => {
    document.dispatchEvent(new CustomEvent("sale:news", { detail: news }));
    heard();
    judge(news);
  };
  document.addEventListener("sale:changed", ({ detail }) => judge(detail));

  // Polling, for when there is no stream: quick near the front, slow far back, slower in trouble, never in step.
  let trouble = 1;
  const poll = async () => {
    if (isOver || !queue.isConnected) return;
    lastAsked = Date.now();
    try {
      const answer = await fetch(data.pollUrl, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status);
      const news = await answer.json();
      trouble = 1;
      if (news.state && news.state !== (data.state ?? "queued")) return finish();
      progress(news);
      if (news.sale) sale(news.sale);
    } catch {
      trouble = Math.min(4, trouble * 1.6);
      lost();
    }
    const calm = rate > 0 ? place / rate / 10 : 10;
    const every = Math.min(30, Math.max(document.hidden ? 20 : 5, calm) * trouble);
    pollTimer = setTimeout(poll, seconds(every * 0.8, every * 1.2));
  };
  // One question besides, when news make it worth while; not more often than every so many milliseconds.
  let asking = null;
  const askSoon = (pause, low, high) => {
    if (!data.pollUrl || asking || Date.now() - lastAsked < pause) return;
    asking = setTimeout(() => {
      asking = null;
      poll();
    }, seconds(low, high));
  };
  const tell = (polls) => document.dispatchEvent(new CustomEvent("queue:polls", { detail: polls }));
  const startPolling = (soon) => {
    if (pollTimer === null && data.pollUrl) pollTimer = setTimeout(poll, soon ? seconds(0.5, 3) : seconds(5, 8));
    tell(true);
  };
  const stopPolling = () => {
    if (pollTimer !== null) tell(false);
    clearTimeout(pollTimer);
    pollTimer = null;
  };

  // The stream: the tab that holds the lock listens to the server, the others listen to that tab.
  const channel = window.BroadcastChannel ? new BroadcastChannel(`foyer:${data.channel ?? data.liveUrl}`) : null;
  const take = (kind, text) => {
    lastProgress = Date.now();
    stopPolling();
    if (kind === "still") return heard();
    if (kind === "again") return askSoon(5000, 0, 3); // the line was cut: what was told meanwhile is lost
    return ({ result, progress, sale })[kind](JSON.parse(text));
  };
  if (channel) channel.onmessage = ({ data: [kind, text] }) => isOver || take(kind, text);

  const listen = () =>
    new Promise((release) => {
      if (isOver || !queue.isConnected) return release(); // over while it waited for its turn to listen
      const stream = new EventSource(data.liveUrl);
      const stop = () => {
        stream.close();
        release();
      };
      for (const kind of ["progress", "result", "sale", "still"]) {
        stream.addEventListener(kind, (event) => {
          channel?.postMessage([kind, event.data]);
          if (!isOver) take(kind, event.data);
          if (isOver) stop();
        });
      }
      let wasOpen = false;
      stream.onopen = () => {
        if (wasOpen) {
          channel?.postMessage(["again", ""]);
          if (!isOver) take("again", "");
        }
        wasOpen = true;
      };
      stream.onerror = () => {
        if (isOver || !queue.isConnected) return stop();
        lost();
        startPolling(true);
        // The browser tries again by itself unless the server refused; then we ask once more in a minute.
        if (stream.readyState === EventSource.CLOSED) {
          release();
          setTimeout(stayTuned, seconds(45, 75));
        }
      };
    });
  const stayTuned = () => {
    if (isOver || !queue.isConnected) return;
    if (channel && navigator.locks) navigator.locks.request(`foyer:${data.channel ?? data.liveUrl}`, listen);
    else listen();
  };

  if (data.liveUrl && window.EventSource) {
    stayTuned();
    // Silence is a loss too: a proxy that swallows the stream looks like an open connection.
    const guard = setInterval(() => {
      if (isOver || !queue.isConnected) return clearInterval(guard);
      if (Date.now() - lastProgress > 35_000) startPolling(true);
      // News are no promise: one of them may have been lost.
      else if (Date.now() - Math.max(startedAt, lastAsked) > 150_000) askSoon(0, 1, 30);
      return undefined;
    }, 5000);
  } else {
    startPolling(false);
  }
  window.addEventListener("offline", () => isOver || lost());
  window.addEventListener("online", () => {
    stopPolling();
    if (!isOver) startPolling(true);
  });
  // Awake again, or back from another page: what was shown is old.
  const wake = () => {
    if (document.hidden || isOver || !queue.isConnected || !data.pollUrl) return;
    clearTimeout(asking);
    asking = null;
    askSoon(0, 0, 1);
  };
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("pageshow", (event) => event.persisted && wake());
  heard();
  show();
});
