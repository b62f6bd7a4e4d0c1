// Stands in for Stripe.js in tests: the same names, two elements as frames, and the fake's API. Not Stripe's code.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  let asked = 0;

  const nodeOf = (where) => {
    const node = typeof where === "string" ? document.querySelector(where) : where;
    if (!node) throw new Error(`Invalid value for mount(): no element matches ${where}`);
    return node;
  };

  const frameTo = (path, query, title) => {
    const frame = document.createElement("iframe");
    frame.src = `${origin}${path}?${new URLSearchParams(query)}`;
    frame.title = title;
    frame.allow = "payment *";
    for (const [name, value] of Object.entries({ border: "0", width: "100%", height: "420px", display: "block" })) {
      frame.style.setProperty(name, value);
    }
    return frame;
  };

  class Element {
    constructor(elements, kind, options = {}) {
      Object.assign(this, { elements, kind, options, listeners: {}, frame: null, state: { complete: false } });
      this.hears = this.hears.bind(this);
    }

    on(name, act) {
      (this.listeners[name] ??= []).push(act);
      return this;
    }

    once(name, act) {
      return this.on(name, act);
    }

    off(name) {
      delete this.listeners[name];
      return this;
    }

    emit(name, event) {
      (this.listeners[name] ?? []).forEach((act) => act({ elementType: this.kind, ...event }));
    }

    async mount(where) {
      const node = nodeOf(where);
      addEventListener("message", this.hears);
      try {
        const { types } = await this.elements.session();
        const path = this.kind === "payment" ? "/v3/payment" : "/v3/express";
        const title = this.kind === "payment" ? "Secure payment input frame" : "Secure express checkout frame";
        this.types = types;
        this.frame = frameTo(path, { types }, title);
        node.replaceChildren(this.frame);
      } catch (error) {
        this.emit("loaderror", { error: { type: "api_connection_error", message: String(error) } });
      }
    }

    unmount() {
      removeEventListener("message", this.hears);
      this.frame?.remove();
      this.frame = null;
    }

    destroy() {
      this.unmount();
      this.elements.made.delete(this.kind);
    }

    update(options) {
      Object.assign(this.options, options);
    }

    focus() {
      this.frame?.focus();
    }

    hears({ data, source, origin: from }) {
      if (!this.frame || source !== this.frame.contentWindow || from !== origin || !data?.fakeStripe) return;
      if (data.type === "ready") {
        if (data.height) this.frame.style.setProperty("height", `${data.height}px`); // none while it is hidden
        const wallets = { googlePay: this.types.includes("card"), klarna: this.types.includes("klarna") };
        this.emit("ready", this.kind === "expressCheckout" ? { availablePaymentMethods: wallets } : {});
      } else if (data.type === "change") {
        this.emit("change", { complete: data.complete, empty: false, value: { type: data.method } });
      } else if (data.type === "data") {
        this.waiting?.(data);
      } else if (data.type === "wallet") {
        const pay = () => {
          this.elements.wallet = data.wallet;
          this.emit("confirm", { expressPaymentType: data.wallet, billingDetails: {}, paymentFailed: () => {} });
        };
        const opened = { expressPaymentType: data.wallet, resolve: pay, reject: () => this.emit("cancel", {}) };
        if (this.listeners.click) this.emit("click", opened);
        else pay();
      }
    }

    ask() {
      return new Promise((resolve) => {
        this.waiting = resolve;
        this.frame.contentWindow.postMessage({ ask: "data", number: (asked += 1) }, origin);
      });
    }
  }

  class Elements {
    constructor(stripe, options) {
      Object.assign(this, { stripe, options, made: new Map(), wallet: "" });
      if (options.clientSecret && options.mode) throw new Error("Give elements() a clientSecret or a mode, not both.");
    }

    async session() {
      const { clientSecret, currency = "sek", paymentMethodTypes } = this.options;
      const query = clientSecret ? { client_secret: clientSecret } : { currency };
      const answer = await fetch(`${origin}/v3/session?${new URLSearchParams(query)}`);
      const { types } = await answer.json();
      return { types: paymentMethodTypes ?? types };
    }

    create(kind, options) {
      if (!["payment", "expressCheckout"].includes(kind)) throw new Error(`This stand-in has no element "${kind}".`);
      if (this.made.has(kind)) throw new Error(`Can only create one Element of type ${kind}.`);
      this.made.set(kind, new Element(this, kind, options));
      return this.made.get(kind);
    }

    getElement(kind) {
      return this.made.get(kind) ?? null;
    }

    update(options) {
      Object.assign(this.options, options);
    }

    async fetchUpdates() {
      return {};
    }

    // What the buyer has filled in, checked: { selectedPaymentMethod } or { error }.
    async submit() {
      this.submitted = true;
      if (this.wallet) return { selectedPaymentMethod: this.wallet };
      const told = await this.made.get("payment").ask();
      if (!told.complete) return { error: { type: "validation_error", code: "incomplete", message: told.message } };
      return { selectedPaymentMethod: told.method };
    }

    async data() {
      const wallet = this.wallet;
      if (wallet === "klarna") return { "payment_method_data[type]": "klarna" };
      if (wallet) return { "payment_method_data[type]": "card", "payment_method_data[card][wallet]": wallet };
      const told = await this.made.get("payment").ask();
      if (!told.complete) return { error: { type: "validation_error", code: "incomplete", message: told.message } };
      if (told.method !== "card") return { "payment_method_data[type]": told.method };
      return { "payment_method_data[type]": "card", "payment_method_data[card][number]": told.card.number };
    }
  }

  class Client {
    constructor(key, options) {
      Object.assign(this, { key, options });
    }

    elements(options = {}) {
      return new Elements(this, { ...options });
    }

    async call(method, path, fields) {
      const body = new URLSearchParams({ ...fields, key: this.key });
      if (this.options.stripeAccount) body.set("_stripe_account", this.options.stripeAccount);
      const address = `${origin}/v1/${path}`;
      try {
        const answer = method === "GET" ? await fetch(`${address}?${body}`) : await fetch(address, { method, body });
        return await answer.json();
      } catch (error) {
        return { error: { type: "api_connection_error", message: "We are experiencing issues connecting to Stripe." } };
      }
    }

    async retrievePaymentIntent(clientSecret) {
      const id = clientSecret.split("_secret_")[0];
      const told = await this.call("GET", `payment_intents/${id}`, { client_secret: clientSecret });
      return told.error ? { error: told.error } : { paymentIntent: told };
    }

    async confirmPayment({ elements, clientSecret, confirmParams = {}, redirect = "always" }) {
      const secret = clientSecret ?? elements.options.clientSecret;
      if (!secret) throw new Error("confirmPayment() needs a clientSecret.");
      if (!elements.options.clientSecret && !elements.submitted) {
        throw new Error("elements.submit() must be called before stripe.confirmPayment().");
      }
      if (redirect === "always" && !confirmParams.return_url) throw new Error("confirmParams.return_url is missing.");
      const data = await elements.data();
      elements.wallet = "";
      if (data.error) return { error: data.error };
      const fields = { ...data, client_secret: secret, use_stripe_sdk: "true" };
      if (confirmParams.return_url) fields.return_url = confirmParams.return_url;
      const told = await this.call("POST", `payment_intents/${secret.split("_secret_")[0]}/confirm`, fields);
      if (told.error) return { error: told.error };
      return this.carryOn(told, confirmParams.return_url, redirect);
    }

    async handleNextAction({ clientSecret }) {
      const { paymentIntent, error } = await this.retrievePaymentIntent(clientSecret);
      return error ? { error } : this.carryOn(paymentIntent, "", "if_required");
    }

    async carryOn(intent, returnUrl, redirect) {
      const action = intent.next_action;
      if (intent.status === "requires_action" && action.type === "redirect_to_url") {
        location.assign(action.redirect_to_url.url);
        return new Promise(() => {});
      }
      if (intent.status === "requires_action") {
        await this.authenticated(action.use_stripe_sdk.stripe_js);
        const { paymentIntent, error } = await this.retrievePaymentIntent(intent.client_secret);
        if (error) return { error };
        if (paymentIntent.last_payment_error) return { error: { ...paymentIntent.last_payment_error, payment_intent: paymentIntent } };
        return this.carryOn(paymentIntent, returnUrl, redirect);
      }
      if (redirect === "always" && returnUrl) {
        const address = new URL(returnUrl);
        address.searchParams.set("payment_intent", intent.id);
        address.searchParams.set("payment_intent_client_secret", intent.client_secret);
        address.searchParams.set("redirect_status", intent.status === "processing" ? "pending" : "succeeded");
        location.assign(address);
        return new Promise(() => {});
      }
      return { paymentIntent: intent };
    }

    authenticated(address) {
      return new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.src = `${address}?framed=1`;
        frame.title = "3-D Secure";
        const place = { position: "fixed", inset: "0", width: "100%", height: "100%", border: "0", "z-index": "2147483647" };
        for (const [name, value] of Object.entries({ ...place, background: "#fff" })) frame.style.setProperty(name, value);
        const hears = ({ data, source }) => {
          if (source !== frame.contentWindow || data?.type !== "authenticated") return;
          removeEventListener("message", hears);
          frame.remove();
          resolve();
        };
        addEventListener("message", hears);
        document.body.append(frame);
      });
    }
  }

  window.Stripe = (key, options = {}) => {
    if (!/^pk_(test|live)_/.test(key ?? "")) throw new Error("Stripe() needs a publishable key.");
    return new Client(key, options);
  };
  window.Stripe.version = "fake";
})();
