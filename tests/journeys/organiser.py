"""The organiser's part of the journey, as she does it: sign in, event, places, tickets, page, preview, publish.

Steps for a Playwright page; a test calls them in order. Each leaves the browser where the organiser would be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from playwright.sync_api import FrameLocator, Locator, Page, expect

PATIENCE = 60_000  # milliseconds; the first page of the administration compiles many templates


@dataclass(frozen=True)
class WantedTicket:
    """A ticket type as the organiser has it in mind. `choices` are (Swedish, English, what it adds as typed)."""

    name_sv: str
    name_en: str
    price: str
    question: tuple[str, str] | None = None
    choices: list[tuple[str, str, str]] = field(default_factory=list)
    minimum_age: str = ""


HELPER = WantedTicket("Funktionär", "Helper", "0")
DINNER = WantedTicket(
    "Sittning",
    "Dinner",
    "250",
    ("Dryck", "Beverage"),
    [("Öl", "Beer", ""), ("Cider", "Cider", ""), ("Alkoholfritt", "Alcohol-free", "-10")],
    minimum_age="18",
)


def sign_in(page: Page, base_url: str, email: str, password: str, *, to: str = "/admin/") -> None:
    """Ask for a closed page, be led to the sign-in, and land on that page."""
    page.set_default_timeout(PATIENCE)
    page.goto(base_url + to)
    page.get_by_role("textbox", name=re.compile("mail|post", re.I)).fill(email)
    page.locator("input[type=password]").fill(password)
    page.locator("input[type=password]").press("Enter")
    page.wait_for_url(f"**{to}")


def create_event(
    page: Page, base_url: str, title_sv: str, title_en: str, starts_at: datetime, ends_at: datetime
) -> None:
    """From the menu: a new event. Ends on the event's own page in the administration."""
    page.goto(base_url + "/admin/events/new/")
    page.locator("#id_title_sv").fill(title_sv)
    page.locator("#id_title_en").fill(title_en)
    for name, moment in (("starts_at", starts_at), ("ends_at", ends_at)):
        box = page.locator(f"#id_{name}")
        box.fill(moment.strftime("%Y-%m-%d %H:%M"))
        box.press("Escape")  # the calendar would lie over what comes next
    page.locator("#id_venue").fill("Kårhuset Fyren")
    page.locator("footer button[type=submit]").click()
    page.wait_for_url("**/admin/events/edit/**")


def add_places(page: Page, name: str, size: int) -> None:
    """From the event: a quota. Ends on the event."""
    page.locator("a[href*='/admin/quotas/new/']").click()
    page.locator("#id_name").fill(name)
    page.locator("#id_size").fill(str(size))
    page.locator("footer button[type=submit]").click()
    page.wait_for_url("**/admin/events/edit/**")


def add_ticket(page: Page, wanted: WantedTicket) -> None:
    """From the event: a ticket type with its question and answers in one form. Ends on the event."""
    page.locator("a[href*='/admin/ticket-types/new/']").click()
    page.locator("#id_name_sv").fill(wanted.name_sv)
    page.locator("#id_name_en").fill(wanted.name_en)
    page.locator("#id_price_minor").fill(wanted.price)
    page.locator("#id_vat_percent").fill("12")
    if wanted.minimum_age:
        page.locator(".w-panel.collapsed").get_by_role("button").first.click()
        page.locator("#id_minimum_age").fill(wanted.minimum_age)
    if wanted.question:
        page.locator("[data-formset=variations] > [data-formset-add]").click()
        question = page.locator("[data-formset=variations] > [data-formset-rows] > [data-formset-row]").last
        question.locator("[name$='-name_sv']").first.fill(wanted.question[0])
        question.locator("[name$='-name_en']").first.fill(wanted.question[1])
        for swedish, english, delta in wanted.choices:
            question.locator("[data-formset-add]").click()
            answer = question.locator("[data-formset-row]").last
            answer.locator("[name$='-name_sv']").fill(swedish)
            answer.locator("[name$='-name_en']").fill(english)
            answer.locator("[name$='-delta_minor']").fill(delta)
    page.locator("footer button[type=submit]").click()
    page.wait_for_url("**/admin/events/edit/**")
    expect(page.get_by_role("link", name=re.compile(f"{wanted.name_sv}|{wanted.name_en}")).first).to_be_visible(
        timeout=PATIENCE
    )


def begin_page(page: Page, language: str) -> None:
    """From the event: its page in one language ("Swedish" or "English"), with event and title proposed."""
    row = page.locator("#pages tbody tr").filter(has_text=language)
    row.get_by_role("link").click()
    page.wait_for_url("**/admin/pages/add/events/eventpage/**")
    expect(page.locator("#id_title")).not_to_have_value("", timeout=PATIENCE)


def add_block(page: Page, label: str) -> Locator:
    """Add a block of this kind at the end of the page's content; returns its panel."""
    stream = page.locator("[data-streamfield-stream-container]").first
    blocks = stream.locator("> [data-streamfield-child]")
    before = blocks.count()
    stream.locator("> div > .c-sf-add-button").last.click()
    page.get_by_role("option", name=label, exact=True).click()
    expect(blocks).to_have_count(before + 1, timeout=PATIENCE)
    return blocks.nth(before)


def write_text(block: Locator, text: str) -> None:
    """Type into a text block."""
    editor = block.locator("[contenteditable=true]")
    editor.click()
    editor.press_sequentially(text)


def preview(page: Page) -> FrameLocator:
    """Open the side preview and wait until it has rendered."""
    page.locator("[data-side-panel-toggle=preview]").click()
    return page.frame_locator("#w-preview-iframe")


def publish(page: Page) -> str:
    """Publish, and return the address of the live page."""
    page.wait_for_load_state("networkidle")  # the editor saves drafts by itself; what it is saving now shall be done
    button = page.locator("button[name=action-publish]")

    def open_menu() -> None:
        if not button.is_visible():
            page.locator("footer .w-dropdown__toggle").click()
        expect(button).to_be_visible(timeout=2_000)

    try:
        open_menu()
    except AssertionError:
        open_menu()  # a draft saved meanwhile has drawn the menu anew
    button.click()
    link = page.locator(".messages a[href*='/sv/'], .messages a[href*='/en/']").first
    link.wait_for(state="attached")
    return str(link.get_attribute("href"))


def give_pass(page: Page, event_address: str, name: str) -> str:
    """From the event: a gate pass for a volunteer. Returns its link, which is shown this once."""
    page.goto(event_address)
    page.locator("a[href*='/admin/gate-passes/new/']").click()
    page.locator("#id_holder_name").fill(name)
    page.locator("footer button[type=submit]").click()
    return page.locator("#pass-link").input_value()
