// Paying on the order's page with Stripe's script, which is loaded here and nowhere else. Without this script, or when
// Stripe's cannot be loaded, the same form leads to a page of Stripe's. Nothing on the page is lost by a declined card.
//
//   <form id="pay" data-submit-once> … <input type="radio" name="provider" value="stripe">
//     <fieldset data-pay-here data-script="https://js.stripe.com/…" data-key="pk_…" data-account="" data-amount="50000"
//               data-currency="sek" data-locale="sv" data-email="…" data-only data-return="https://…/orders/…/"
//               data-status="…/status/" data-fill="Write your name …" data-lost="…" data-charged-nothing="…" hidden>
//       <div data-pay-here-express hidden></div> <div data-pay-here-element></div>
//     </fieldset>
//     <div data-pay-here-problem role="alert" hidden><p data-pay-here-problem-text></p></div>
//   </form>
//
// The form is sent to its own action with `here`, and answered with one of
//   {secret}                the payment may be confirmed            {go}          look there
//   {problem, fields, terms}  to be mended, and the terms that hold    {again, say}  ask again after so many seconds

import { enhance } from "../foyer/js/enhance.js";

const PATIENCE = 30; // how often is asked again, a minute in all, before the buyer is told to look later

const load = (address) =>
  new Promise((done, failed) => {
    if (window.Stripe) return done(window.Stripe);
    const script = document.createElement("script");
    script.src = address;
    script.async = true;
    script.addEventListener("load", () => (window.Stripe ? done(window.Stripe) : failed(new Error("no Stripe"))));
    script.addEventListener("error", () => failed(new Error("not loaded")));
    document.head.append(script);
  });

// The page's own colours and letters, for the fields that Stripe draws in its frames.
const appearance = () => {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  return {
    theme: "flat",
    variables: {
      colorPrimary: colour("--color-accent"),
      colorBackground: colour("--color-surface"),
      colorText: colour("--color-ink"),
      colorTextSecondary: colour("--color-muted"),
      colorDanger: colour("--color-danger"),
      fontFamily: style.fontFamily,
      fontSizeBase: "16px",
      borderRadius: style.getPropertyValue("--radius").trim() || "8px",
    },
    rules: { ".Input": { border: `1px solid ${colour("--color-outline")}`, minHeight: "44px" } },
  };
};

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

enhance("[data-pay-here]", async (part) => {
  const form = part.closest("form");
  const problem = form.querySelector("[data-pay-here-problem]");
  const express = part.querySelector("[data-pay-here-express]");
  const { dataset } = part;

  const isChosen = () => "only" in dataset || new FormData(form).get("provider") === "stripe";
  const show = () => (part.hidden = !isChosen());

  let stripe;
  let elements;
  try {
    const Stripe = await load(dataset.script);
    stripe = Stripe(dataset.key, { locale: dataset.locale, ...(dataset.account && { stripeAccount: dataset.account }) });
    elements = stripe.elements({
      mode: "payment",
      amount: Number(dataset.amount),
      currency: dataset.currency,
      appearance: appearance(),
    });
    show(); // before the fields are drawn: they measure their place
    const element = elements.create("payment", {
      layout: "accordion",
      defaultValues: { billingDetails: { email: dataset.email } },
    });
    element.mount(part.querySelector("[data-pay-here-element]"));
  } catch {
    part.hidden = true;
    return; // the form leads to Stripe's page
  }
  form.addEventListener("change", show);

  // --- What is said --------------------------------------------------------------------------------------------
  const say = (text) => {
    problem.hidden = !text;
    problem.querySelector("[data-pay-here-problem-text]").textContent = text ?? "";
    if (text) problem.scrollIntoView({ block: "center" });
  };
  const mark = (fields) => {
    for (const input of form.querySelectorAll("[aria-invalid][data-marked]")) {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("data-marked");
    }
    const wrong = Object.keys(fields).map((name) => form.elements[name]).filter((input) => input?.setAttribute);
    for (const input of wrong) {
      input.setAttribute("aria-invalid", "true");
      input.dataset.marked = "";
    }
    wrong[0]?.focus();
  };
  // The terms have changed since the page was opened: its link leads to those that hold, to be accepted anew.
  const renew = ({ number, url }) => {
    if (form.elements.terms_number.value === String(number)) return;
    form.elements.terms_number.value = number;
    form.elements.terms.closest("label").querySelector("a").href = url;
    form.elements.terms.checked = false;
  };

  // --- Busy ----------------------------------------------------------------------------------------------------
  const button = form.querySelector("[data-pay-here-button]");
  const label = button.querySelector("[data-label]");
  const restText = label.textContent;
  const busy = () => {
    form.dataset.sent = "";
    button.setAttribute("aria-busy", "true");
    label.textContent = button.dataset.busyText;
  };
  const rest = () => {
    delete form.dataset.sent;
    button.removeAttribute("aria-busy");
    label.textContent = restText;
  };

  // --- Paying --------------------------------------------------------------------------------------------------
  let leaves = false;
  const go = (address) => {
    leaves = true;
    location.assign(address);
  };
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return; // else back from the bank's page
    leaves = false;
    rest();
  });

  const ask = async () => {
    const body = new FormData(form);
    body.append("here", "1");
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    return response.json();
  };

  // The house hears of a decline by asking the bank; the places are then held for longer.
  const hearOfHold = async () => {
    const { state, until, now } = await (await fetch(dataset.status)).json();
    if (state !== "reserved") return go(dataset.return);
    document.getElementById("hold")?.dispatchEvent(new CustomEvent("countdown:go", { detail: { until, now } }));
  };

  const pay = async () => {
    const checked = await elements.submit();
    if (checked.error) return say(checked.error.message);
    for (let asked = 0; asked < PATIENCE; asked += 1) {
      const answer = await ask();
      mark(answer.fields ?? {});
      if (answer.terms) renew(answer.terms);
      if (answer.problem) return say(answer.problem);
      if (answer.go) return go(answer.go);
      if (answer.secret) return confirm(answer.secret);
      say(answer.say);
      await wait(answer.again);
    }
    return say(dataset.lost);
  };

  const confirm = async (clientSecret) => {
    say("");
    const { error } = await stripe.confirmPayment({
      elements,
      clientSecret,
      confirmParams: { return_url: dataset.return },
      redirect: "if_required",
    });
    if (!error) return go(dataset.return);
    // Only a bank's no is sure to have moved nothing; where the connection was lost, the page has to ask first.
    const isRefused = ["card_error", "validation_error"].includes(error.type);
    say(isRefused ? `${error.message ?? ""} ${dataset.chargedNothing}`.trim() : dataset.lost);
    return hearOfHold().catch(() => {});
  };

  // `wallet` is its press, when it was one: its sheet closes when nothing came of it.
  const begin = async (wallet) => {
    if ("sent" in form.dataset) return;
    say("");
    busy();
    try {
      await pay();
    } catch {
      say(dataset.lost);
    }
    if (leaves) return;
    rest();
    wallet?.paymentFailed?.({ reason: "fail" });
  };

  form.addEventListener("submit", (event) => {
    const paysNot = event.submitter?.hasAttribute("formaction") || event.submitter?.name === "keep";
    if (event.defaultPrevented || !isChosen() || paysNot) return;
    event.preventDefault();
    begin();
  });

  // --- Wallets: one press, after name and terms ------------------------------------------------------------------
  try {
    const wallets = elements.create("expressCheckout", { buttonHeight: 48 });
    wallets.on("ready", ({ availablePaymentMethods }) => (express.hidden = !availablePaymentMethods));
    wallets.on("click", (event) => {
      const missing = [...form.elements].filter((input) => input.required && !input.checkValidity());
      if (!missing.length) return event.resolve();
      mark(Object.fromEntries(missing.map((input) => [input.name, true])));
      return say(dataset.fill);
    });
    wallets.on("confirm", begin);
    wallets.mount(express);
  } catch {
    express.hidden = true; // the fields below take all ways to pay
  }
});
