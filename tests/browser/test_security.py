"""The content security policy where the browser enforces it: the administration works under it, a preview is framed,
and code that somebody smuggles into a page does not run."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.urls import reverse
from django.utils.translation import override
from playwright.sync_api import expect

from apps.events import page_cache
from tests import factories
from tests.browser.conftest import DESKTOP, Opener
from tests.browser.test_door import sign_in
from tests.tenancy.world import World, make_world, page_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(settings: LazySettings, tmp_path: object) -> World:
    settings.MEDIA_ROOT = str(tmp_path)
    page_cache.begin_anew()
    return make_world("Lyktan")


def test_the_administration_works_without_one_violation(world: World, open_tab: Opener) -> None:
    """The fixture fails on any complaint of the browser, and each refused script or style is one."""
    tab = open_tab(size=DESKTOP, language="en")
    sign_in(tab, world.editor)
    page = tab.goto("/admin/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    for address in (
        reverse("wagtailadmin_explore", args=[world.root.pk]),
        reverse("wagtailadmin_pages:edit", args=[world.page.pk]),
        reverse("wagtailadmin_pages:add", args=["events", "eventpage", world.root.pk]),
        reverse("wagtailadmin_pages:history", args=[world.page.pk]),
        reverse("wagtailimages:index"),
        reverse("wagtailimages:add"),
        reverse("wagtailimages:edit", args=[world.image.pk]),
        reverse("wagtaildocs:index"),
    ):
        response = page.goto(tab.base_url + address)
        assert response is not None and response.status == 200
        page.wait_for_load_state("networkidle")


def test_an_editor_sees_the_page_beside_it_as_visitors_will(world: World, open_tab: Opener) -> None:
    body = [
        {"type": "text", "value": "<p>Välkommen till Lyktan</p>", "id": "a1"},
        {"type": "tickets", "value": {"heading": "", "event": None}, "id": "a2"},
    ]
    draft = page_of(factories.event(organisation=world.organisation), world.root, body=body)
    tab = open_tab(size=DESKTOP, language="en")
    sign_in(tab, world.editor)
    page = tab.goto(reverse("wagtailadmin_pages:edit", args=[draft.pk]))
    page.wait_for_load_state("networkidle")

    page.get_by_role("button", name="Toggle preview").click()

    frame = page.frame_locator("iframe[title='Preview'][src*='in_preview_panel']").last
    expect(frame.get_by_text("Välkommen till Lyktan")).to_be_visible(timeout=15_000)


def test_smuggled_code_does_not_run(open_tab: Opener) -> None:
    """Even where a name would be written unescaped the browser refuses; here both walls are asked."""
    event = factories.event(
        title_en="<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"
    )
    factories.ticket_type(event, factories.quota(event, 5), name_en="<b onclick=alert(1)>Dinner</b>")
    with override("en"):
        address = reverse("ticketing:form", args=[event.public_id])
    tab = open_tab(language="en")
    page = tab.goto(address)

    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = "document.title = 'taken'";
          document.body.append(script);
        }"""
    )

    assert page.title().startswith("Tickets to <img")
    refused = [complaint for complaint in tab.complaints if "Content Security Policy" in complaint]
    assert len(refused) == 1
    tab.complaints.clear()
