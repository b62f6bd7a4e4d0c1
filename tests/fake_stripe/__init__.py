"""A Stripe of our own that speaks HTTP: a process beside the tests, reached through the official library.

    with fake_stripe.serving() as fake:           # or the fixture `stripe_service`, emptied before each test
        client = stripe.StripeClient(fake.KEY, base_addresses=fake.base_addresses)

It keeps the shapes, the rules and the traps that docs.stripe.com names, of those parts of the API that Foyer uses. What
it is not: Stripe. What only the real service can show (wallets on real phones, Swish itself, risk checks, a card's own
3-D Secure page, how fast it is) is listed in docs/stripe.md with the checks to run by test keys.

**What it answers.** `/v1/` payment_intents (create, retrieve, update, list, search, confirm, cancel), charges, refunds,
disputes, balance, balance_transactions, checkout/sessions (create, retrieve, list, expire), accounts, account_links,
application_fees, events, webhook_endpoints, payment_method_configurations, payment_method_domains; `/oauth/token` and
`/oauth/deauthorize`. `Stripe-Account` chooses whose books; `Idempotency-Key` works as documented (same body: the first
answer again, with `Idempotent-Replayed`; another body: 400 idempotency_error; one still in progress: 409; forgotten
after 24 hours, by `move_clock`). `expand[]` works everywhere. Keys: `fake.KEY` (secret),
`fake.PUBLISHABLE_KEY` (browser: needs the client_secret); any other is 401. Of `sk_live_…`/`pk_live_…` everything is
livemode. Money is available at once unless `fake.set(charges_available=False)`; `fake.set(exchange_rate={"eur": 11.5})`
settles euro in kronor.

**Cards and methods**, by the numbers Stripe documents, in the card field of every page, or as `pm_card_…`:

    4242 4242 4242 4242  pm_card_visa                          pays
    4000 0000 0000 0002  pm_card_chargeDeclined                declined (generic_decline)
    4000 0000 0000 9995  pm_card_chargeDeclinedInsufficientFunds
    4000 0000 0000 0069  pm_card_chargeDeclinedExpiredCard
    4000 0000 0000 0119  pm_card_chargeDeclinedProcessingError
    4000 0027 6000 3184  pm_card_authenticationRequired        3-D Secure: requires_action
    4000 0000 0000 0259  pm_card_createDispute                 pays, and is disputed at once
    4000 0000 0000 5126  pm_card_refundFail                    its refund succeeds, and fails when told (see `refund`)
    4000 0000 0000 7726  pm_card_pendingRefund                 its refund is pending until told
    swish, klarna        (payment_method_data[type])           requires_action: a page with Approve, Approve later
                                                               (processing until told), Refuse

**What it shows a browser.** `fake.url + "/v3/"` (and `/<release>/stripe.js`) stands in for Stripe.js:
`Stripe(key, {stripeAccount, locale})`, `.elements({clientSecret} or {mode, amount, currency})`, elements "payment" and
"expressCheckout" (each an iframe: frame-src), `.submit()`, `.fetchUpdates()`, `confirmPayment({elements, clientSecret,
confirmParams: {return_url}, redirect})`, `handleNextAction`, `retrievePaymentIntent`. A checkout session's `url` is a
hosted page that needs no script; an account link's is an onboarding page. For the content security policy all of it has
one origin, `fake.url`, where Stripe has js.stripe.com, hooks.stripe.com and api.stripe.com.
In the iframes: radio `name=method`, inputs labelled "Card number", "Expiry" and "CVC"; buttons "Google Pay" and
"Klarna" in the express one. 3-D Secure: an iframe titled "3-D Secure" with buttons "Complete" and "Fail".

**Notices.** `fake.endpoint(url, secrets=[...])` adds one for the platform's own events (`connect=True`: for those of
connected accounts). Delivery is a setting, at once by default:

    fake.deliver("now" | "hold" | "lose", copies=1, delay_seconds=0, types=["charge.*"])  # others now
    fake.release(order="given" | "reversed" | "shuffled", seed=0, copies=1)  # sends what is held, one by one
    fake.redeliver()                         # whatever was lost or not answered 2xx is sent again
    fake.held()                              # [(body, headers)]: to post them by Django's test client instead
    fake.deliveries()                        # [{"event", "type", "url", "status"}], one for each try
    fake.quiet()                             # waits until no delivery is under way
    signed(body, secret, at=None, also=[])   # the headers for any body

**What happens later**, each an event too:

    fake.payment(pi, "succeeded" | "failed" | "processing")   # the bank's answer to one that is processing or waiting
    fake.pay(pi_or_cs, method="pm_card_visa")                 # as if the buyer had confirmed it in a browser
    fake.act(pi, approves=True)                               # 3-D Secure, Swish, Klarna: answered in the app
    fake.refund(re, "succeeded" | "failed" | "canceled")
    fake.dispute(ch_or_pi) -> dispute; fake.close_dispute(dp, "won" | "lost" | "warning_closed")
    fake.account(acct, charges_enabled=False, disabled_reason="requirements.past_due")
    fake.deauthorise(acct);  fake.onboard(acct)               # the organisation leaves; or fills in everything
    fake.payout(account=None); fake.top_up(amount, currency, account=None)   # pending refunds go when money is there
    fake.move_clock(seconds)                                  # its own clock: created, expires_at, signatures

**Faults.** `fake.fault(call, what, times=1, skip=0, seconds=30)`, `call` such as "POST /v1/payment_intents", `*` for
any part. `what` is one of

    timeout         no effect, no answer for `seconds` (then the connection is closed)
    timeout_after   the effect happened, the answer is withheld: the lost answer
    reset, reset_after     the connection is cut at once, before or after the effect
    conflict 409 · rate_limit 429 · error 500 · error_after 500 with the effect, kept under the key · unavailable 503
    malformed       200 with half a JSON document, the effect happened;  html: a proxy's page with 502
    slow            the answer comes after `seconds`

`fake.away(seconds, how="refuse" | "silent")`: nobody can connect at all (refused, or a connect time-out).
`fake.set(rate_limit=25)`: 429 above so many calls a second to one endpoint of an account. `fake.no_faults()` ends them.

**What it saw.** `fake.calls(call="*")`: every API call: account, key, params, status, api_version, whether replayed.
`fake.objects("payment_intent", account=None)`: every object of a kind; `fake.object(id)`. `fake.empty()` forgets
everything: objects, keys, faults, endpoints, settings.

By itself: `python -m tests.fake_stripe [--port 12111]` prints its address and the control's as JSON. All of the above
is `POST <control>/<name>` with the arguments as JSON.
"""

from tests.fake_stripe.client import Fake, serving
from tests.fake_stripe.signing import signed

__all__ = ["Fake", "serving", "signed"]
