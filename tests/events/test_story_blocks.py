"""The blocks that tell an event: how each looks in the picker, what it says in which state, and what it still reads."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from apps.events.blocks import CountdownBlock, PracticalInfoBlock, ProgrammeBlock, standard_blocks
from apps.events.models import EventPage
from apps.ticketing import clock
from tests import factories
from tests.events.test_body import form_of, posted
from tests.tenancy.test_crafted_forms import rows
from tests.tenancy.world import World

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def told(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").replace("\u00a0", " ").split())


def rendered(block: Any, value: dict[str, Any], **context: Any) -> str:
    return block.render(block.to_python(value), context)


SAYS = {
    "hero": "We invite you Lucia dinner",
    "text": "When the dark is deepest",
    "programme": "The Lucia procession The choir Istappen",
    "gallery": "Posters of past years",
    "partners": "Kafé Trasten",
    "practical_info": "From 18 years Bring identification",
    "countdown": "Until the doors open",
    "faq": "What if I cannot come?",
    "call_to_action": "Do you want to help at the door? Write to us",
}


def test_every_block_is_previewed_as_it_looks(ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    field = EventPage._meta.get_field("body").stream_block
    said = {}

    for name, _block in standard_blocks():
        block = field.child_blocks[name]
        response = client.get(f"{reverse('wagtailadmin_block_preview')}?id={block.definition_prefix}")
        soup = BeautifulSoup(response.content, "html.parser")
        styles = [link["href"] for link in soup.find_all("link", rel="stylesheet")]
        assert [style.rsplit("/", 1)[1] for style in styles] == ["site.css", "theme.css", "story.css"], name
        assert (response.status_code, soup.select("[style], style, script:not([src])")) == (200, []), name
        said[name] = told(str(soup.main))

    assert {name: words if words in said[name] else said[name] for name, words in SAYS.items()} == SAYS
    assert list(said) == list(SAYS)


@pytest.mark.parametrize(
    ("until", "doors", "starts", "says", "counts"),
    [
        pytest.param("doors", 2, 3, "Until the doors open", True, id="to-the-doors"),
        pytest.param("start", 2, 3, "Until it begins", True, id="to-the-start"),
        pytest.param("doors", None, 3, "Until it begins", True, id="no-time-for-the-doors"),
        pytest.param("doors", -1, 3, "The doors are open.", False, id="doors-are-open"),
        pytest.param("start", -2, -1, "It has begun.", False, id="has-begun"),
        pytest.param("doors", -9, -8, "It is over", False, id="over"),
    ],
)
def test_countdown_says_where_it_stands(until: str, doors: int | None, starts: int, says: str, counts: bool) -> None:
    at = clock.now()
    event = factories.event(
        starts_at=at + starts * HOUR,
        ends_at=at + (starts + 4) * HOUR,
        doors_at=None if doors is None else at + doors * HOUR,
    )

    soup = BeautifulSoup(rendered(CountdownBlock(), {"until": until}, event=event), "html.parser")

    timer = soup.select_one("[role=timer]")
    assert (soup.h2.text, timer is not None) == (says, counts)  # type: ignore[union-attr]
    if timer is not None:
        moment = event.doors_at if until == "doors" and event.doors_at else event.starts_at
        assert (timer["data-until"], timer.has_attr("data-now")) == (moment.isoformat(), False)
        assert soup.find("time")["datetime"] == moment.isoformat()  # type: ignore[index]  # in words, without a script


@pytest.mark.parametrize(("language", "time"), [("sv", "17.30"), ("en", "17:30")])
def test_programme_has_a_column_of_times_only_when_there_are_times(language: str, time: str) -> None:
    choir = {"time": None, "title": "Istappen", "text": "Choir", "picture": None}
    described = {**choir, "title": "Norra", "picture": {"image": None, "alt_text": "", "decorative": False}}

    with override(language):
        timed = rendered(
            ProgrammeBlock(), {"heading": "", "rows": [{**choir, "time": "17:30:00", "title": "Insläpp"}, choir]}
        )
        plain = rendered(ProgrammeBlock(), {"heading": "Who plays", "rows": [choir, described]})

    assert f"{time} Insläpp Choir Istappen Choir" in told(timed)
    assert (told(plain), "programme__time" in plain) == ("Who plays Istappen Choir Norra Choir", False)


@pytest.mark.parametrize(
    ("value", "venue", "address", "links"),
    [
        pytest.param(
            {}, "Fyren", "Campusvägen 3, Linköping", ["query=Campusv%C3%A4gen+3%2C+Link%C3%B6ping"], id="address"
        ),
        pytest.param({}, "Fyren", "", ["query=Fyren"], id="venue-alone"),
        pytest.param({"map": "https://maps.example/x"}, "Fyren", "x", ["https://maps.example/x"], id="own"),
        pytest.param({}, "", "", [], id="nowhere"),
    ],
)
def test_practical_information_leads_to_a_map(
    value: dict[str, Any], venue: str, address: str, links: list[str]
) -> None:
    """Also as stored before it knew of maps and ages."""
    event = factories.event(venue=venue, venue_address=address)

    html = rendered(PracticalInfoBlock(), {"heading": "", "notes": [], **value}, event=event)

    found = [link["href"] for link in BeautifulSoup(html, "html.parser").find_all("a")]
    assert len(found) == len(links) and all(link in there for link, there in zip(links, found, strict=True))
    assert "years" not in told(html)


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        pytest.param(
            lambda world: {
                "type": "gallery",
                "value": {
                    "heading": "",
                    "pictures-count": "13",
                    **{
                        key: value
                        for at in range(13)
                        for key, value in {
                            f"pictures-{at}-deleted": "",
                            f"pictures-{at}-order": str(at),
                            f"pictures-{at}-id": "",
                            f"pictures-{at}-value-picture-image": str(world.image.pk),
                            f"pictures-{at}-value-picture-alt_text": "A poster",
                        }.items()
                    },
                },
            },
            "The maximum number of items is 12",
            id="thirteen-pictures",
        ),
        pytest.param(
            lambda world: {"type": "gallery", "value": rows("pictures", {"picture-image": world.image.pk})},
            "Please add some alt text for your image or mark it as decorative",
            id="nothing-said-of-the-picture",
        ),
        pytest.param(
            lambda world: {
                "type": "partners",
                "value": rows("partners", {"name": "x", "logo": "", "address": "javascript:alert(1)"}),
            },
            "Enter a valid URL.",
            id="script-for-an-address",
        ),
        pytest.param(
            lambda world: {
                "type": "practical_info",
                "value": {"heading": "", "age": "0", "map": "", "notes-count": "0"},
            },
            "greater than or equal to 1",
            id="no-age",
        ),
    ],
)
def test_what_a_block_does_not_take_is_refused_with_a_sentence(
    ours: World, client: Client, block: Any, sentence: str
) -> None:
    client.force_login(ours.editor)
    fields, _state = form_of(client, ours.page)

    response = client.post(
        reverse("wagtailadmin_pages:edit", args=[ours.page.pk]), posted(fields, [{"id": "x", **block(ours)}])
    )

    assert response.status_code == 200
    assert re.search(sentence, response.content.decode())
