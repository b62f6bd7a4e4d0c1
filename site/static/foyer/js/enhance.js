// Starts a small script on every element that asks for it: those on the page now, and those htmx swaps in later.
//
//   enhance("[data-stepper]", (element) => { … })     called once per element

export function enhance(selector, start) {
  const started = new WeakSet();
  const look = (root) => {
    const found = [...root.querySelectorAll(selector)];
    if (root.matches?.(selector)) found.unshift(root);
    for (const element of found) {
      if (started.has(element)) continue;
      started.add(element);
      start(element);
    }
  };
  look(document);
  document.addEventListener("htmx:load", (event) => look(event.detail.elt));
}

// Tell the other small scripts about elements put into the page by hand.
export function announceNew(element) {
  element.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: element } }));
}
