{% autoescape off %}// Keeps the tickets opened on this phone, so that they can be shown where there is no network.
//
// A ticket's page is always asked from the house first. Its kept copy is shown when no answer comes within a few seconds, or
// none but a fault. What the house answers replaces the copy: a ticket that was passed on is passed on here too. Kept are
// the pages that say so themselves (ticket.js) with their styles, scripts, fonts and pictures; nothing else is touched.

const PAGES = "foyer-tickets-pages-1";
const PARTS = "foyer-tickets-parts-1";
const MOST = {{ most }};
const PATIENCE_MS = {{ patience_ms }};
const TICKETS = "{{ tickets|escapejs }}";
const OFFLINE_PAGE = "{{ offline_page|escapejs }}";
const TICKET = /^[0-9a-f-]{36}\/[A-Za-z0-9_-]{16,64}\/$/;
const HASHED = /\.[0-9a-f]{12}\.\w+$/; // such a file never changes under its name
const KINDS = ["style", "script", "font", "image"];

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => event.waitUntil(begin()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && isTicket(pathname)) {
    const answer = fetch(request);
    event.waitUntil(answer.then((response) => learn(pathname, response.status), () => "no network"));
    event.respondWith(openTicket(pathname, answer));
  } else if (KINDS.includes(request.destination)) {
    event.respondWith(openPart(request));
  }
});

self.addEventListener("message", (event) => {
  const wish = event.data?.keep;
  if (!wish || !isTicket(wish.page)) return;
  event.waitUntil(keep(wish).then((kept) => event.source.postMessage({ kept }), () => event.source.postMessage({ kept: false })));
});

const isTicket = (path) => path.startsWith(TICKETS) && TICKET.test(path.slice(TICKETS.length));

const soon = () => new Promise((done) => setTimeout(done, PATIENCE_MS));

async function begin() {
  for (const name of await caches.keys()) {
    if (name.startsWith("foyer-tickets-") && name !== PAGES && name !== PARTS) await caches.delete(name);
  }
  await self.clients.claim();
}

// --- Showing ---------------------------------------------------------------------------------------------------------

async function openTicket(path, answer) {
  const kept = await keptPage(path);
  try {
    const response = await (kept ? Promise.race([answer, soon()]) : answer);
    if (response && (response.status < 500 || !kept)) return response;
  } catch {
    if (!kept) return new Response(OFFLINE_PAGE, { headers: { "Content-Type": "text/html; charset=utf-8" } });
  }
  return asKept(kept);
}

// The copy says when it was made: ticket.js tells the holder.
async function asKept(kept) {
  const page = await kept.text();
  const headers = new Headers(kept.headers);
  for (const name of ["X-Kept-At", "X-Kept-Until", "X-Kept-Parts"]) headers.delete(name);
  return new Response(page.replace("<html ", `<html data-kept-at="${kept.headers.get("X-Kept-At")}" `), { headers });
}

async function openPart(request) {
  const kept = await (await caches.open(PARTS)).match(request.url, { ignoreVary: true });
  if (!kept) return fetch(request);
  if (HASHED.test(new URL(request.url).pathname)) return kept;
  try {
    const response = await Promise.race([fetch(request), soon()]);
    return response?.ok ? response : kept;
  } catch {
    return kept;
  }
}

// --- Keeping ---------------------------------------------------------------------------------------------------------

async function keptPage(path) {
  const pages = await caches.open(PAGES);
  const page = await pages.match(path, { ignoreVary: true });
  if (!page || new Date(page.headers.get("X-Kept-Until")) > new Date()) return page;
  await pages.delete(path, { ignoreVary: true });
  return undefined;
}

// A newer answer for a ticket that is kept. One that is gone is forgotten; a fault of ours changes nothing.
// The answer shown may be a page for whoever is signed in: the copy is asked for by itself, without cookies.
async function learn(path, status) {
  const kept = await keptPage(path);
  if (!kept) return;
  if (status >= 200 && status < 300) {
    const response = await fetch(path, { credentials: "omit" });
    if (response.ok && !response.redirected) await put(path, response, kept.headers.get("X-Kept-Until"), kept.headers.get("X-Kept-Parts"));
  } else if (status === 404 || status === 410) {
    await (await caches.open(PAGES)).delete(path, { ignoreVary: true });
  }
}

async function put(path, response, until, parts) {
  const headers = new Headers(response.headers);
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name); // the body is read and plain by now
  headers.set("X-Kept-At", new Date().toISOString());
  headers.set("X-Kept-Until", until);
  headers.set("X-Kept-Parts", parts);
  await (await caches.open(PAGES)).put(path, new Response(await response.blob(), { headers }));
}

// Asked without cookies: the copy is the link's, not the person's who happens to be signed in.
async function keep({ page, parts, until }) {
  const response = await fetch(page, { credentials: "omit" });
  if (!response.ok || response.redirected) return false;
  const ours = parts.filter((part) => new URL(part).origin === location.origin);
  await put(page, response, until, JSON.stringify(ours));
  const store = await caches.open(PARTS);
  await Promise.allSettled(
    ours.map(async (part) => {
      if (HASHED.test(new URL(part).pathname) && (await store.match(part, { ignoreVary: true }))) return;
      const file = await fetch(part);
      if (file.ok) await store.put(part, file);
    }),
  );
  await tidy();
  return true;
}

// The newest tickets stay, while their evening lies ahead, and no file that none of them uses.
async function tidy() {
  const pages = await caches.open(PAGES);
  const kept = [];
  for (const request of await pages.keys()) {
    const page = await keptPage(new URL(request.url).pathname);
    if (page) kept.push({ request, at: page.headers.get("X-Kept-At"), parts: JSON.parse(page.headers.get("X-Kept-Parts")) });
  }
  kept.sort((one, other) => other.at.localeCompare(one.at));
  for (const { request } of kept.slice(MOST)) await pages.delete(request, { ignoreVary: true });
  const used = new Set(kept.slice(0, MOST).flatMap(({ parts }) => parts));
  const store = await caches.open(PARTS);
  for (const request of await store.keys()) {
    if (!used.has(request.url)) await store.delete(request, { ignoreVary: true });
  }
}
{% endautoescape %}
