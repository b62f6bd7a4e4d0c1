"""Mails as a mail program shows them, on a phone and on a desk, by day and in the dark; and where mail is spoken of."""

from __future__ import annotations

import base64

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect

from apps.ticketing import clock
from apps.ticketing.mails import troubles
from apps.ticketing.models import Effect, Order, SentMail
from tests import emptying
from tests.browser.conftest import AXE, DESKTOP, PHONE, looks_right, overflow, shot
from tests.proofs import Proof
from tests.tenancy.world import make_world, sell
from tests.ticketing.test_mails_rendered import MAILS, html_of, rendered

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {"360": {"width": 360, "height": 780}, "600": {"width": 600, "height": 900}}
SEEN = [(name, width, scheme) for name in MAILS for width in SIZES for scheme in ("light", "dark")]


def as_opened(message) -> str:
    """The HTML with its picture in place, as a mail program puts it together."""
    (picture,) = [part for part in message.attachments if not isinstance(part, tuple)]
    data = base64.b64encode(picture.get_payload(decode=True)).decode()
    return html_of(message).replace("cid:poster", f"data:{picture.get_content_type()};base64,{data}")


# No button to those who have neither the order nor a ticket any more; two where food and a question are asked anew.
WAYS = {
    "address_corrected": 0,
    "gift_accepted": 0,
    "gift_taken_back": 0,
    "holder_ticket_ended": 0,
    "resale_ask_anew": 2,
}


@pytest.mark.proof("mails_look", what="Every mail fits and reads in every window", full=len(SEEN), small=len(MAILS))
def test_mail_fits_and_reads_in_every_window(browser: Browser, proof: Proof) -> None:
    """At the small size each mail in one window, so that every mail is looked at."""
    windows = {name: [window for mail, *window in SEEN if mail == name] for name in MAILS}
    chosen = SEEN if proof.n == len(SEEN) else [(name, *proof.random.choice(windows[name])) for name in MAILS]
    for name, width, scheme in chosen:
        emptying.empty("default")
        _order, message = rendered(name, "en")
        context = browser.new_context(viewport=SIZES[width], color_scheme=scheme, java_script_enabled=True)
        page = context.new_page()
        page.set_content(as_opened(message))
        shot(page, f"mail-{name}-{width}-{scheme}")

        rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
        found = AXE.run(page, options={"runOnly": rules, "resultTypes": ["violations"]})
        button = page.locator(".button a")

        assert [rule["id"] for rule in found.response["violations"]] == [], (name, width, scheme)
        assert (overflow(page) <= 0, button.count()) == (True, WAYS.get(name, 1)), (name, width, scheme)
        boxes = [one.bounding_box() for one in button.all()]
        assert all(box is not None and box["height"] >= 52 for box in boxes), (name, width, scheme)
        context.close()


def test_mail_reads_without_pictures(browser: Browser) -> None:
    _order, message = rendered("order_confirmation", "en")
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()

    page.set_content(html_of(message).replace('src="cid:poster"', ""))

    shot(page, "mail-without-pictures")
    expect(page.get_by_role("heading", level=1)).to_have_text("The tickets are yours!")
    expect(page.get_by_role("link", name="Show the tickets")).to_be_visible()
    assert page.get_by_role("img").count() == 0
    context.close()


def came_back(order: Order) -> None:
    mail = SentMail.objects.create(
        order=order,
        name="order_confirmation",
        payload={"name": "order_confirmation"},
        to=order.email,
        subject="Your tickets to Lucia dinner",
        provider_id="taken-1",
        sent_at=clock.now(),
    )
    troubles.note(
        "msg_1",
        "bounced",
        provider_id=mail.provider_id,
        address=mail.to,
        detail="The mailbox does not exist.",
        at=clock.now(),
    )


def test_buyer_sees_that_mail_came_back(open_tab) -> None:
    order = sell(make_world("Lyktan"))
    came_back(order)

    page = open_tab(language="en").goto(f"/en/orders/{order.reference}/{order.secret}/")

    expect(page.get_by_text("came back")).to_be_visible()
    looks_right(page, "order-mail-came-back-360")


def test_treasurer_sees_every_mail_and_sends_one_again(open_tab, live_server) -> None:
    world = make_world("Lyktan")
    order = sell(world)
    came_back(order)
    client = Client()
    client.force_login(world.treasurer)
    tab = open_tab(size=DESKTOP, language="en")
    tab.page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )

    page = tab.goto(f"/admin/orders/inspect/{order.public_id}/")
    shot(page, "desk-mails-1280")
    expect(page.get_by_text("The mailbox does not exist.")).to_be_visible()
    page.get_by_role("button", name="Send “Order confirmation” again").click()

    expect(page.get_by_text("is on its way once more")).to_be_visible()
    page.get_by_role("heading", name="What happened").scroll_into_view_if_needed()
    shot(page, "desk-mail-sent-again-1280")
    assert Effect.objects.filter(order=order, payload__again=True).count() == 1
