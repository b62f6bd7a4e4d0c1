"""Pictures on public pages: as AVIF and WebP in widths that fit, in as many queries for one as for twelve."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from django.core.cache import cache
from django.core.files.images import ImageFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image
from wagtail.images import get_image_model
from wagtail.rich_text import expand_db_html

from apps.events import listing, photos
from apps.events.blocks import GalleryBlock
from apps.events.models import EventPage
from apps.ticketing import catalogue, jobs
from tests import factories
from tests.tenancy.world import World, page_of, picture

pytestmark = pytest.mark.django_db
RED, BLUE = (255, 0, 0), (0, 0, 255)


def photo(size: tuple[int, int] = (1600, 1200), **values: Any) -> Any:
    """A picture in the library, red at the left and blue at the right."""
    image = picture("Hall", size=(1, 1))
    drawn = Image.new("RGB", size, RED)
    drawn.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    file = io.BytesIO()
    drawn.save(file, "PNG")
    values = {"title": "Hall", "description": "A hall full of candles", **values}
    return get_image_model().objects.create(
        file=ImageFile(io.BytesIO(file.getvalue()), name="hall.png"), collection=image.collection, **values
    )


def made(image: Any, place: str) -> Any:
    photos.make(image.pk, place)
    return get_image_model().objects.get(pk=image.pk)


def parsed(html: str) -> tuple[list[Tag], Tag]:
    soup = BeautifulSoup(html, "html.parser")
    (shown,) = soup.find_all("img")
    return soup.find_all("source"), shown


def file_of(address: str, settings: Any) -> bytes:
    return (Path(settings.MEDIA_ROOT) / address.removeprefix("/media/")).read_bytes()


@pytest.mark.parametrize(
    ("place", "size", "widths", "shape"),
    [
        pytest.param("hero", (1600, 1200), [480, 800, 1200], (4, 3), id="cut"),
        pytest.param("text", (1000, 500), [480, 800, 1000], (2, 1), id="whole"),
        pytest.param("card", (300, 400), [180, 300], (3, 4), id="no-wider-than-it-is"),
        pytest.param("act", (40, 60), [40], (1, 1), id="small"),
        pytest.param("logo", (960, 480), [192, 384], (2, 1), id="no-higher-than-its-place"),
    ],
)
def test_picture_is_offered_as_avif_and_webp_in_widths_that_fit(
    settings: Any, place: str, size: tuple[int, int], widths: list[int], shape: tuple[int, int]
) -> None:
    (avif,), webp = parsed(photos.picture(made(photo(size), place), place))

    for element in (avif, webp):
        addresses = re.findall(r"(\S+) (\d+)w", str(element["srcset"]))
        assert [int(width) for _address, width in addresses] == widths
        for address, width in addresses:
            file = Image.open(io.BytesIO(file_of(address, settings)))
            assert (file.format, file.width) == ("AVIF" if element is avif else "WEBP", int(width))
            assert abs(file.width * shape[1] / shape[0] - file.height) <= 1
    assert (avif["type"], webp["sizes"]) == ("image/avif", avif["sizes"])
    assert abs(int(str(webp["width"])) * shape[1] - int(str(webp["height"])) * shape[0]) <= shape[0]
    assert (webp["alt"], webp["loading"]) == ("A hall full of candles", "lazy")


def test_first_picture_is_loaded_at_once_and_one_that_decorates_is_passed_over() -> None:
    _sources, shown = parsed(photos.picture(made(photo(), "hero"), "hero", alt="", eager=True))

    assert (shown["fetchpriority"], shown.get("loading"), shown["alt"]) == ("high", None, "")


def test_focal_point_stays_in_the_picture(settings: Any) -> None:
    focus = {"focal_point_x": 1400, "focal_point_y": 600, "focal_point_width": 200, "focal_point_height": 200}

    colours = []
    for image in (photo(), photo(**focus)):
        _sources, shown = parsed(photos.picture(made(image, "act"), "act"))
        file = Image.open(io.BytesIO(file_of(str(shown["src"]), settings))).convert("RGB")
        left = file.getpixel((2, 50))
        assert isinstance(left, tuple)
        colours.append("red" if left[0] > left[2] else "blue")

    assert colours == ["red", "blue"]


def test_picture_that_is_not_made_yet_is_shown_at_once_and_the_rest_asked_for() -> None:
    image = photo()
    cache.delete(f"photos:{image.pk}:hero")
    queue = jobs.queue_of("default")
    queue.empty()

    sources, shown = parsed(photos.picture(image, "hero"))
    parsed(photos.picture(get_image_model().objects.get(pk=image.pk), "hero"))

    assert (sources, re.findall(r"\d+w", str(shown["srcset"]))) == ([], ["800w"])
    assert [(job.func_name, job.args) for job in queue.jobs] == [("apps.events.photos.make", [image.pk, "hero"])]
    queue.jobs[0].perform()
    queue.empty()
    (avif,), shown = parsed(photos.picture(get_image_model().objects.get(pk=image.pk), "hero"))
    assert str(avif["srcset"]).count(".avif ") == str(shown["srcset"]).count(".webp ") == 3


def harmed(image: Any, how: str) -> None:
    path = Path(image.file.path)
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(b"no picture" if how == "no-picture" else path.read_bytes()[:60])


@pytest.mark.parametrize("how", ["gone", "no-picture", "cut-off"])
def test_picture_that_cannot_be_read_is_left_out_and_the_page_stands(ours: World, client: Client, how: str) -> None:
    image = photo()
    harmed(image, how)
    photos.make(image.pk, "hero")
    body = [
        {"type": "hero", "value": {"kicker": "", "motif": "star", "photo": image.pk}, "id": "h"},
        {"type": "gallery", "value": {"heading": "", "pictures": [row_of(image)]}, "id": "g"},
        {"type": "text", "value": f"<p>Told</p>{embed(image)}", "id": "t"},
    ]

    response = client.get(page_of(ours.event, ours.root, slug="harmed", body=body).url)

    soup = BeautifulSoup(response.content, "html.parser")
    assert (response.status_code, soup.main.find_all("img"), "Told" in soup.main.text) == (200, [], True)  # type: ignore[union-attr]
    assert soup.select_one(".hero--brand .hero__art > svg") is not None


def row_of(image: Any, **values: Any) -> dict[str, Any]:
    shown = {"image": image.pk, "alt_text": "Candles", "decorative": False, **values}
    return {"picture": shown, "caption": "Last year"}


def embed(image: Any, alt: str = "x") -> str:
    return f'<embed embedtype="image" id="{image.pk}" format="fullwidth" alt="{alt}"/>'


def test_gallery_and_text_ask_as_much_for_one_picture_as_for_many(ours: World) -> None:
    images = [photo((40, 30)) for _number in range(4)]
    for image in images:
        for place in ("gallery", "gallery-wide", "text"):
            photos.make(image.pk, place)
    block = GalleryBlock()

    def asked(count: int) -> tuple[int, int]:
        stored = {"heading": "", "pictures": [row_of(image) for image in images[:count]]}
        with CaptureQueriesContext(connection) as for_gallery:
            assert block.render(block.to_python(stored)).count("<picture>") == count
        with CaptureQueriesContext(connection) as for_text:
            assert expand_db_html("".join(embed(image) for image in images[:count])).count("<picture>") == count
        return len(for_gallery), len(for_text)

    assert (asked(1), asked(4)) == ((2, 2), (2, 2))


def test_what_a_picture_shows_cannot_leave_its_attribute() -> None:
    image = made(photo((40, 30)), "text")

    html = expand_db_html(embed(image, alt="&quot;&gt;&lt;script&gt;&amp;amp;"))

    assert "<script" not in html
    assert BeautifulSoup(html, "html.parser").img["alt"] == '"><script>&amp;'  # type: ignore[index]


@pytest.mark.parametrize(
    ("stored", "alt"),
    [
        pytest.param(lambda image: image.pk, "A hall full of candles", id="before-photos-were-described"),
        pytest.param(lambda image: row_of(image)["picture"], "Candles", id="described-here"),
        pytest.param(lambda image: row_of(image, alt_text="")["picture"], "A hall full of candles", id="not-here"),
        pytest.param(lambda image: row_of(image, decorative=True)["picture"], "", id="decorates"),
    ],
)
def test_photo_of_the_hero_says_what_it_shows(ours: World, client: Client, stored: Any, alt: str) -> None:
    image = photo((40, 30))
    hero = {"type": "hero", "value": {"kicker": "", "motif": "", "photo": stored(image)}, "id": "h"}
    page = page_of(ours.event, ours.root, slug="told", body=[hero])

    shown = BeautifulSoup(client.get(page.url).content, "html.parser").select_one(".hero__art img")

    assert shown is not None and (shown["alt"], shown["fetchpriority"]) == (alt, "high")
    card = listing.posters_of([page])[page.pk].html
    assert parsed(card)[1]["alt"] == ""  # its title stands beside it


def test_worker_makes_all_pictures_of_a_page_as_soon_as_it_is_published(
    ours: World, client: Client, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    images = {place: photo((40, 30)) for place in ("hero", "first", "second", "act", "logo", "text")}
    row = {"time": None, "title": "Who", "text": "", "picture": row_of(images["act"])["picture"]}
    partner = {"name": "P", "logo": images["logo"].pk, "address": ""}
    body = [
        {"type": "hero", "value": {"kicker": "", "motif": "", "photo": row_of(images["hero"])["picture"]}, "id": "h"},
        {"type": "gallery", "value": {"heading": "", "pictures": [row_of(images["first"]), row_of(images["second"])]},
         "id": "g"},
        {"type": "programme", "value": {"heading": "", "rows": [row]}, "id": "p"},
        {"type": "partners", "value": {"heading": "", "partners": [partner]}, "id": "s"},
        {"type": "text", "value": f"<p>Told</p>{embed(images['text'])}", "id": "t"},
    ]  # fmt: skip
    page = page_of(ours.event, ours.root, slug="ready", body=body, publish=False)
    queue = jobs.queue_of("default")
    queue.empty()

    with django_capture_on_commit_callbacks(execute=True):
        page.save_revision().publish()
    made_of = [job for job in queue.jobs if job.func_name == "apps.events.making_ready.make"]
    assert [job.args for job in made_of] == [[page.pk]] or [job.args for job in made_of] == [(page.pk,)]
    made_of[0].perform()
    queue.empty()

    def in_the_request(*_: Any) -> None:
        raise AssertionError("a picture was made while a visitor waited")

    monkeypatch.setattr(photos, "make_one", in_the_request)
    monkeypatch.setattr(photos, "_ask_for", in_the_request)
    monkeypatch.setattr("apps.events.sharing.image_of", lambda page: "")
    shown = BeautifulSoup(client.get(page.get_url()).content, "html.parser")
    assert len(shown.main.find_all("picture")) == len(images)  # type: ignore[union-attr]
    assert client.get("/sv/events/?q=told").status_code == 200
    listing.posters_of([EventPage.objects.get(pk=page.pk)])


def test_event_page_asks_as_much_for_a_long_story_and_many_tickets_as_for_little(ours: World, client: Client) -> None:
    images = [photo((40, 30)) for _number in range(4)]
    for image in images:
        for place in photos.PLACES:
            photos.make(image.pk, place)

    def cost(count: int) -> int:
        shown = [row_of(image)["picture"] for image in images[:count]]
        body = [
            {"type": "hero", "value": {"kicker": "", "motif": "", "photo": shown[0]}, "id": "h"},
            {"type": "tickets", "value": {"heading": "", "event": None}, "id": "b"},
            {"type": "gallery", "value": {"heading": "", "pictures": [{"picture": one} for one in shown]}, "id": "g"},
            {"type": "programme", "value": {"heading": "", "rows": [{"title": "A", "picture": one} for one in shown]},
             "id": "p"},
            {"type": "partners", "value": {"heading": "", "partners": [{"name": "P", "logo": one["image"]}
                                                                       for one in shown]}, "id": "s"},
            {"type": "text", "value": "".join(embed(image) for image in images[:count]), "id": "t"},
        ]  # fmt: skip
        page = page_of(ours.event, ours.root, slug=f"story-{count}", body=body)
        for _number in range(count - 1):
            kind = factories.ticket_type(ours.event, factories.quota(ours.event))
            factories.choice(factories.variation(kind), factories.quota(ours.event))
        catalogue.forget()
        for warm in (True, False):
            with CaptureQueriesContext(connection) as queries:
                response = client.get(page.get_url(), headers={"cookie": "sessionid=none"})
            assert warm or response.content.count(b"<picture>") == 5 + 4 * (count - 1)
        page.delete()
        return len(queries)

    assert (cost(1), cost(4)) == (35, 35)
