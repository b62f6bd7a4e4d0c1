"""Terms and notices as people read them, and as an editor writes them."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from apps.events import legal, tenancy
from apps.events.models import LegalText
from tests import factories
from tests.browser.conftest import DESKTOP, PHONE, Opener, looks_right, looks_right_everywhere, shot
from tests.browser.test_door import sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_terms_look_right_and_an_editor_sees_them_before_buyers_do(open_tab: Opener) -> None:
    lyktan = tenancy.create_organisation(
        "Festföreningen Lyktan",
        slug="lyktan",
        organisation_number="802999-0000",
        address="Campusvägen 3\n581 83 Linköping",
        email="lyktan@example.org",
    )
    legal.standing(lyktan, "terms")
    LegalText.objects.filter(organisation=lyktan, kind="terms").update(text_sv="<p>Köp av {seller}.</p>")
    tab = open_tab(language="en")
    page = tab.goto("/en/legal/lyktan/terms/")
    expect(page.locator("main [lang=sv]")).to_contain_text("Köp av Festföreningen Lyktan.")
    looks_right_everywhere(page, "legal-terms-sv-for-en")
    page.get_by_role("link", name="Version 1").click()
    expect(page.locator("main")).to_contain_text("This version no longer applies to new orders.")
    looks_right_everywhere(page, "legal-terms-old", ((PHONE, False), (DESKTOP, True)))
    page.get_by_role("link", name="Svenska").click()
    expect(page.locator("main")).to_contain_text("Den här versionen gäller inte längre")
    page.get_by_role("contentinfo").get_by_role("link", name="Tillgänglighet").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tillgänglighet")
    looks_right(page, "legal-accessibility")

    editor = factories.user(name="Alva", email="alva@example.org")
    assert lyktan.editors
    editor.groups.add(lyktan.editors)
    desk = open_tab(language="en", size=DESKTOP)
    sign_in(desk, editor)
    row = LegalText.objects.get(organisation=lyktan, kind="terms")
    page = desk.goto(reverse("legal_desk:edit", args=[row.public_id]))
    english = page.locator("[contenteditable=true]").nth(1)
    english.click()
    english.press_sequentially("Buy of {seller}.")
    expect(page.locator("[name=text_en]")).to_have_value(re.compile(r"Buy of \{seller\}"))
    looks = page.get_by_role("button", name="Show as buyers see it")
    with page.context.expect_page() as opened:
        looks.click()
    expect(opened.value.locator("main")).to_contain_text("Buy of Festföreningen Lyktan.")
    looks_right(opened.value, "legal-as-buyers-see-it")
    shot(page, "legal-desk")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messages")).to_contain_text("is now version 3")
