// Inside a frame of the fake's: answers the page that put it there.
(() => {
  const tell = (message) => parent.postMessage({ fakeStripe: true, ...message }, "*");
  const own = document.currentScript;
  if ("done" in own.dataset) {
    tell({ type: "authenticated" });
    return;
  }
  const form = document.querySelector("form");
  const shown = document.getElementById("error");
  const method = () => form.querySelector("[name=method]:checked")?.value;
  const state = () => {
    if (method() !== "card") return { complete: true };
    const [number, expiry, cvc] = ["number", "expiry", "cvc"].map((name) => form.elements[name].value.trim());
    if (number.replace(/\D/g, "").length < 15) return { complete: false, message: "Your card number is incomplete." };
    if (!/^\d\d\s*\/?\s*\d\d$/.test(expiry)) return { complete: false, message: "Your card's expiration date is incomplete." };
    if (!/^\d{3,4}$/.test(cvc)) return { complete: false, message: "Your card's security code is incomplete." };
    return { complete: true };
  };
  const changed = () => {
    document.getElementById("card").hidden = method() !== "card";
    shown.textContent = "";
    tell({ type: "change", complete: state().complete, method: method() });
  };
  form?.addEventListener("input", changed);
  form?.addEventListener("submit", (event) => event.preventDefault());
  document.querySelectorAll("[data-wallet]").forEach((button) => {
    button.addEventListener("click", () => tell({ type: "wallet", wallet: button.dataset.wallet }));
  });
  addEventListener("message", ({ data, source }) => {
    if (source !== parent || data?.ask !== "data") return;
    const { complete, message } = state();
    shown.textContent = complete ? "" : message;
    const number = form.elements.number?.value;
    tell({ type: "data", answers: data.number, complete, message, method: method(), card: { number } });
  });
  tell({ type: "ready", height: document.documentElement.scrollHeight });
})();
