"""The story of an event in a browser: every block of the house, by phone and desk, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from wagtail.images import get_image_model

from apps.events import photos
from apps.events.models import EventPage
from tests.browser.conftest import PHONE, Opener, looks_right_everywhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_files(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


def test_lucia_dinner_is_told_in_all_blocks(open_tab: Opener) -> None:
    call_command("setup_demo", verbosity=0)
    page = EventPage.objects.get(title__startswith="Luciasittning")
    for place, name in [("gallery", "krona"), ("gallery", "följe"), ("act", "kör")]:
        photos.make(get_image_model().objects.get(title=f"Demo: {name}").pk, place)

    tab = open_tab(size=PHONE)
    tab.goto(page.url)
    tab.page.wait_for_load_state("networkidle")
    tab.page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
    tab.page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")

    looks_right_everywhere(tab.page, "story")
    assert {image.rsplit(".", 1)[1] for image in sources(tab.page)} == {"avif", "webp"}


def sources(page: Any) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('picture img')].map((image) => image.currentSrc)")
