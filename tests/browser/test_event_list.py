"""The list of events as people use it: on a phone and at a desk, with and without JavaScript, in both languages."""

from __future__ import annotations

import re

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from playwright.sync_api import expect

from apps.events import page_cache
from apps.events.models import EventPage
from tests import mould
from tests.browser.conftest import Opener, looks_right, looks_right_everywhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def demo(settings: LazySettings, tmp_path: object) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    mould.cast(call_command, "setup_demo", verbosity=0)
    page_cache.begin_anew()


def test_events_are_found_and_the_list_looks_right(open_tab: Opener) -> None:
    tab = open_tab(javascript=True)
    page = tab.goto("/sv/")
    looks_right(page, "home-with-list")
    page.get_by_role("link", name="Alla evenemang").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("På gång")
    looks_right_everywhere(page, "event-list")

    page.get_by_label("Sök").fill("STJARNGOSSAR")
    page.get_by_role("button", name="Visa").click()

    expect(page).to_have_url(re.compile(r"/sv/events/\?q=STJARNGOSSAR$"))
    expect(page.locator(".event-card__title")).to_have_text(["Glöggmingel med stjärngossar"])
    looks_right(page, "event-list-found")
    page.get_by_role("link", name="English").click()
    expect(page.locator(".event-card")).to_have_count(1)
    page.get_by_role("link", name="Past").click()
    expect(page.get_by_text("Nothing found")).to_be_visible()
    looks_right(page, "event-list-nothing")
    page.get_by_role("link", name="Show all events").click()
    expect(page.locator(".event-card__title").first).to_have_text("Autumn voices")
    looks_right_everywhere(page, "event-list-past")


def test_events_are_found_without_javascript(open_tab: Opener) -> None:
    tab = open_tab(javascript=False, language="en")
    page = tab.goto("/en/events/")

    page.get_by_label("Association").select_option("Vokalensemblen Istappen")
    page.get_by_role("button", name="Show").click()

    expect(page).to_have_url(re.compile(r"/en/events/\?by=istappen$"))
    expect(page.locator(".event-card__title")).to_have_text(["Icicles and chords"])


def test_data_for_machines_is_no_code_to_the_browser(open_tab: Opener) -> None:
    """The fixture fails on any complaint, and each refused script is one."""
    EventPage.objects.filter(slug="vinterbalen").update(title="</script><script>document.title='taken'</script>")
    tab = open_tab()
    page = tab.goto(EventPage.objects.get(slug="vinterbalen").url or "")

    assert page.title().startswith("</script>")
    assert page.locator('script[type="application/ld+json"]').count() == 1
