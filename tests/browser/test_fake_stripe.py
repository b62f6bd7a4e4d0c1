"""The stand-in for Stripe.js and the fake's own pages, in a browser and on a page with a policy as strict as ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe
from playwright.sync_api import Browser, Page, expect

from tests.fake_stripe import Fake

PAGE = """<!doctype html><html lang=en><title>Shop</title><div id=express></div><div id=payment></div>
<button id=pay>Pay now</button><p id=said></p><script src="{url}/v3/"></script><script src="/shop.js"></script>"""
SCRIPT = """
const stripe = Stripe("{key}"), clientSecret = "{secret}";
const elements = stripe.elements({{ clientSecret }});
const pay = async () => {{
  const confirmParams = {{ return_url: location.origin + "/done?order=1" }};
  const asked = {{ elements, confirmParams, redirect: "if_required" }};
  const {{ error, paymentIntent }} = await stripe.confirmPayment(asked);
  document.getElementById("said").textContent = error ? error.message : paymentIntent.status;
}};
elements.create("expressCheckout").on("confirm", pay).mount("#express");
elements.create("payment").mount(document.getElementById("payment"));
document.getElementById("pay").addEventListener("click", pay);
"""


@contextmanager
def shop(fake: Fake, secret: str) -> Iterator[str]:
    """A page that takes payment for the intent; its address."""
    policy = f"default-src 'none'; script-src 'self' {fake.url}; frame-src {fake.url}; connect-src {fake.url}"
    names = {"url": fake.url, "key": fake.PUBLISHABLE_KEY, "secret": secret}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_script = self.path == "/shop.js"
            content = (SCRIPT if is_script else PAGE).format(**names).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if is_script else "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 900})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def client_of(fake: Fake) -> stripe.StripeClient:
    return stripe.StripeClient(fake.KEY, base_addresses=fake.base_addresses)  # type: ignore[arg-type]


def give_card(page: Page, number: str) -> None:
    frame = page.frame_locator("iframe[title='Secure payment input frame']")
    frame.get_by_label("Card number").fill(number)
    frame.get_by_label("Expiry").fill("12 / 34")
    frame.get_by_label("CVC").fill("123")
    page.get_by_role("button", name="Pay now").click()


def test_elements_decline_ask_and_pay(page: Page, stripe_service: Fake) -> None:
    intents = client_of(stripe_service).v1.payment_intents
    intent = intents.create({"amount": 25000, "currency": "sek"})
    assert intent.client_secret
    said = page.locator("#said")

    with shop(stripe_service, intent.client_secret) as address:
        page.goto(address)
        give_card(page, "4242")
        expect(said).to_have_text("Your card number is incomplete.")
        give_card(page, "4000 0000 0000 0002")
        expect(said).to_have_text("Your card was declined.")
        give_card(page, "4000 0027 6000 3184")
        page.frame_locator("iframe[title='3-D Secure']").get_by_role("button", name="Fail").click()
        expect(said).to_contain_text("unable to authenticate")
        give_card(page, "4000 0027 6000 3184")
        page.frame_locator("iframe[title='3-D Secure']").get_by_role("button", name="Complete").click()
        expect(said).to_have_text("succeeded")

    assert [row["status"] for row in stripe_service.objects("charge")] == ["succeeded", "failed"]
    assert stripe_service.object(intent.id)["amount_received"] == 25000


def test_wallet_pays_and_swish_leads_to_a_page_and_back(page: Page, stripe_service: Fake) -> None:
    intents = client_of(stripe_service).v1.payment_intents
    wallet, swish = (intents.create({"amount": 25000, "currency": "sek"}) for _ in range(2))
    assert wallet.client_secret and swish.client_secret

    with shop(stripe_service, wallet.client_secret) as address:
        page.goto(address)
        express = page.frame_locator("iframe[title='Secure express checkout frame']")
        express.get_by_role("button", name="Google Pay").click()
        expect(page.locator("#said")).to_have_text("succeeded")
    with shop(stripe_service, swish.client_secret) as address:
        page.goto(address)
        page.frame_locator("iframe[title='Secure payment input frame']").get_by_label("Swish").check()
        page.get_by_role("button", name="Pay now").click()
        page.get_by_role("button", name="Approve later").click()
        page.wait_for_url("**/done?**")
        back = page.url

    assert back.removeprefix(address).startswith(f"done?order=1&payment_intent={swish.id}&")
    assert back.endswith("&redirect_status=pending")
    assert [intents.retrieve(each.id).status for each in (wallet, swish)] == ["succeeded", "processing"]
    [charge] = stripe_service.objects("charge")
    assert charge["payment_method_details"]["card"]["wallet"]["type"] == "google_pay"


def test_hosted_page_and_onboarding_need_no_script(browser: Browser, stripe_service: Fake) -> None:
    client = client_of(stripe_service)
    page = browser.new_context(java_script_enabled=False).new_page()
    end = f"{stripe_service.url}/nowhere"
    price = {"currency": "sek", "unit_amount": 12500, "product_data": {"name": "Spex"}}
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [{"price_data": price, "quantity": 2}],  # type: ignore[typeddict-item]
            "success_url": end + "?done={CHECKOUT_SESSION_ID}",
        }
    )
    account = client.v1.accounts.create({"type": "standard"})
    link = client.v1.account_links.create(
        {"account": account.id, "type": "account_onboarding", "return_url": end, "refresh_url": end + "?again"}
    )

    page.goto(session.url or "")
    page.get_by_label("Card number").fill("4000 0000 0000 9995")
    page.get_by_role("button", name="Pay").click()
    declined = page.get_by_role("alert").inner_text()
    page.get_by_label("Card number").fill("4000 0027 6000 3184")
    page.get_by_role("button", name="Pay").click()
    page.get_by_role("button", name="Complete").click()
    paid_at = page.url
    page.goto(link.url)
    page.get_by_role("button", name="Agree and submit").click()
    onboarded_at = page.url
    page.goto(link.url)

    assert (declined, paid_at) == ("Your card was declined.", f"{end}?done={session.id}")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert (onboarded_at, page.url) == (end, f"{end}?again")
    assert client.v1.accounts.retrieve(account.id).charges_enabled
    page.context.close()
