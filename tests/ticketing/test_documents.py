"""PDF tickets of real orders: the right facts, under names that stand for them, made by the real worker."""

from __future__ import annotations

import json
import os
import stat
import threading
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override
from PIL import ImageFile

from apps.events import tenancy
from apps.events.models import Event, EventPage, Organisation, OrganisationPage
from apps.ticketing import clock, credentials, documents, jobs, outbox, refunds
from apps.ticketing.documents import facts, files, rendering, themes
from apps.ticketing.models import Effect, Order, Ticket, TicketType
from apps.ticketing.personal_data import TicketingData
from apps.ticketing.states import EffectState, TicketState
from apps.ticketing.transitions import move
from tests import factories
from tests.clock import clock_moved
from tests.processes import outcome, spawn
from tests.tenancy.world import picture
from tests.ticketing.documents import codes_of, dinner, objects_of, paid, text_of, tickets_of

pytestmark = pytest.mark.django_db

MADE = (documents.KIND,)


@pytest.fixture(autouse=True)
def storage(settings: LazySettings, tmp_path: Path) -> Iterator[Path]:
    """The documents of one test, in a folder of its own."""
    place = tmp_path / "documents"
    ours: dict[str, Any] = settings.STORAGES
    options = {**ours["documents"]["OPTIONS"], "location": str(place)}
    settings.STORAGES = {**ours, "documents": {**ours["documents"], "OPTIONS": options}}
    themes.theme_of.cache_clear()
    yield place
    themes.theme_of.cache_clear()


def lying(place: Path) -> list[Path]:
    return sorted(place.rglob("*.pdf")) if place.exists() else []


def made(order: Order) -> list[tuple[str, bytes]]:
    return documents.attachments(order)


# --- What stands on the page -------------------------------------------------------------------------------------


ENGLISH = [
    *("Lyktan invites you", "Lucia dinner 2026", "Saturday 12 December 2026", "Doors 17:30, start 18:00"),
    *("Kårhuset Fyren", "Campusvägen 1, Linköping", "Dinner and party", "Alva Exempelsson", "Beverage", "Beer"),
    *("18 years, bring identification", "ticket 1 of 2", "ticket 2 of 2", "SEK 285, of which VAT 12%: SEK 30.54"),
    *("Festföreningen Lyktan", "802999-0000", "580 00 Linköping", "kassor@lyktan.example", "ticket is version 1"),
]
SWEDISH = [
    *("Luciasittning 2026", "Lördag 12 december 2026", "17.30", "18.00", "Sittning med sexa", "Dryck", "Öl"),
    *("285 kr", "30,54 kr", "802999-0000"),
]


@pytest.mark.parametrize(("locale", "words"), [("en", ENGLISH), ("sv", SWEDISH)], ids=["en", "sv"])
def test_the_file_shows_the_facts_in_the_order_s_language_and_the_event_s_zone(
    tmp_path: Path, locale: str, words: list[str]
) -> None:
    starts_at = datetime(2026, 12, 12, 17, 0, tzinfo=UTC)
    kind = dinner()
    order = paid(kind, 2, locale=locale)
    Event.objects.filter(pk=kind.event_id).update(
        starts_at=starts_at, doors_at=starts_at - timedelta(minutes=30), ends_at=starts_at + timedelta(hours=6)
    )

    [(filename, pdf)] = made(order)

    text = text_of(pdf, tmp_path).replace("\u00a0", " ")
    assert [word for word in words if word not in text] == []
    assert filename.endswith(f" {order.reference}.pdf")
    for ticket in tickets_of(order):
        assert f"{ticket.short_code[:3]} · {ticket.short_code[3:]}" in text


def test_times_are_those_of_the_event_s_own_zone(tmp_path: Path) -> None:
    kind = dinner(time_zone="Asia/Tokyo")
    order = paid(kind)
    at = kind.event.starts_at.astimezone(kind.event.zone)

    text = text_of(made(order)[0][1], tmp_path)

    assert f"Start {at:%H:%M}" in text


def test_every_page_has_one_ticket_s_own_code_that_the_house_accepts(tmp_path: Path) -> None:
    order = paid(dinner(), 3)

    codes = codes_of(made(order)[0][1], tmp_path)

    claims = [credentials.verify(code) for code in codes]
    assert [(claim.ticket, claim.version) for claim in claims] == [(one.public_id, 1) for one in tickets_of(order)]
    assert len(set(codes)) == 3


def test_the_file_is_tagged_and_says_what_it_is() -> None:
    order = paid(dinner(), 1)

    told = objects_of(made(order)[0][1])

    for mark in ("/MarkInfo", "/Marked true", "/StructTreeRoot", "/Lang (en)", "/DisplayDocTitle true", "pdfuaid:part"):
        assert mark in told, mark
    for tag in ("/S /H1", "/S /H2", "/S /Art", "/S /LBody", "/S /Figure"):
        assert tag in told, tag
    assert "/Alt (QR code of the ticket)" in told
    assert "Ticket to Lucia dinner 2026" in told
    assert "/FontFile2" in told and "Schibsted-Grotesk" in told and "Bricolage-Grotesque" in told


def test_a_ticket_that_was_given_away_does_not_tell_what_it_cost(tmp_path: Path) -> None:
    order = paid(dinner(), 1)
    Ticket.objects.update(holder_email="friend@example.org", holder_name="Robin Ek")

    text = text_of(made(order)[0][1], tmp_path)

    assert "Robin Ek" in text
    assert "285" not in text and order.reference not in text


SCRIPTS = {
    "latin-ext": "Łucja Żółć",
    "greek": "Νίκος Παπαδόπουλος",
    "cyrillic": "Олександра Шевченко",
    "arabic": "ليلى العامري",
    "hebrew": "נועה כהן",
    "chinese": "王小明",
    "japanese": "さくら タナカ",
    "korean": "김민수",
    "thai": "สมชาย",
    "devanagari": "अनुष्का",
    "emoji": "Robin 🎉 Ek",
    "combining": "Z̷̈a̴l̶g̵o",
}


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS)
def test_a_name_in_any_script_is_text(name: str, tmp_path: Path) -> None:
    order = paid(dinner(), 1, name=name)

    text = text_of(made(order)[0][1], tmp_path)

    def letters(words: str) -> set[str]:
        return {letter for letter in unicodedata.normalize("NFKC", words) if unicodedata.category(letter)[0] in "LS"}

    assert letters(name) <= letters(text)


HOSTILE = {
    "file": "<img src=file:///etc/passwd>",
    "script": "<script>alert(1)</script>",
    "closing": "</dd></dl></article><h1>X</h1>",
    "style": "<style>*{display:none}</style>",
    "entity": "&lt;b&gt; &amp; &nbsp; &#0; &bogus;",
    "template": "{{ order.secret }}{% include 'x' %}",
    "css": '");} body{display:none} /*',
    "xml": "<![CDATA[x]]> <!ENTITY a SYSTEM 'file:///etc/passwd'>",
}


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
def test_strangers_words_are_only_words(words: str, tmp_path: Path) -> None:
    kind = dinner(title_en=words, venue=words, venue_address=words)
    TicketType.objects.filter(pk=kind.pk).update(name_en=words)
    Organisation.objects.update(legal_name=words, address=words)
    order = paid(kind, 1, name=words)

    [(_filename, pdf)] = made(order)

    text = text_of(pdf, tmp_path)
    assert text.replace(" ", "").count(words.replace(" ", "")) >= 5
    assert "root:" not in text and order.secret not in text
    assert "/S /H1" in objects_of(pdf)
    assert codes_of(pdf, tmp_path) == [credentials.sign(tickets_of(order)[0])]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Robin\u202e kE\u202c", "Robin kE"),
        ("\u2067Robin\u2069", "Robin"),
        ("Ro\u200bbin", "Ro\u200bbin"),
        ("Ro\x00\x07bin\nEk\u2028x", "Robin Ek x"),
        ("👩\u200d🎓", "👩\u200d🎓"),
        ("\ufeffA\ud800", "A"),
    ],
    ids=["override", "isolate", "zero-width", "control", "joined-emoji", "broken"],
)
def test_what_turns_the_text_around_it_is_left_out(given: str, kept: str) -> None:
    assert facts.clean(given) == kept


@pytest.mark.parametrize(
    ("title", "size"),
    [
        ("Lucia", "huge"),
        ("Överlämningsga", "large"),
        ("王小明的晚宴音", "large"),
        ("王" * 13, "small"),
        ("L\u0308\u0323u\u0308\u0323c\u0308\u0323i\u0308\u0323a\u0308\u0323", "huge"),
    ],
    ids=["short", "long", "chinese", "long-chinese", "marks"],
)
def test_a_title_is_set_by_the_room_it_takes(title: str, size: str) -> None:
    assert facts.title_size(title) == size


def test_marks_heaped_on_a_letter_are_not_more_than_a_language_has() -> None:
    assert facts.clean("Z" + "\u0335" * 40 + "a\u0308\u0323") == "Z" + "\u0335" * facts.MOST_MARKS + "a\u0308\u0323"


def test_the_longest_words_stay_on_their_page(tmp_path: Path) -> None:
    kind = dinner(title_en="W" * 120, venue="Överlämningsgasque" * 6, venue_address="W" * 200)
    TicketType.objects.filter(pk=kind.pk).update(name_en="Q" * 80)
    order = paid(kind, 2, name="M" * 120)

    [(_filename, pdf)] = made(order)

    assert len(codes_of(pdf, tmp_path)) == 2
    assert "/Count 2" in objects_of(pdf)


# --- Themes ------------------------------------------------------------------------------------------------------


def test_a_theme_s_own_template_serves_its_organisations_and_no_others(settings: LazySettings, tmp_path: Path) -> None:
    theme = tmp_path / "theirs"
    (theme / "templates" / "ticketing" / "pdf").mkdir(parents=True)
    (theme / "theme.toml").write_text('name = "theirs"\ntitle = { sv = "T", en = "T" }\n[paper]\nink = "#00FF01"\n')
    (theme / "templates" / "ticketing" / "pdf" / "ticket.html").write_text(
        '<article class="ticket"><h1>Theirs</h1><img src="foyer:{{ sheet.qr }}" alt="Code"/></article>'
    )
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, ("themes/theirs", theme)]
    themes.theme_of.cache_clear()
    ours, theirs = paid(dinner(by="Ours")), paid(dinner(by="Theirs", theme="theirs"))

    assert "Theirs" not in text_of(made(ours)[0][1], tmp_path)
    assert text_of(made(theirs)[0][1], tmp_path) == "Theirs"
    assert "#00FF01" in documents.files_of(theirs)[0].job.css


BROKEN = {
    "unreadable": "{% if %}",
    "fails-when-shown": '{% include "nowhere.html" %}',
    "nested-too-deep": '{% for _ in "x"|ljust:3000 %}<div>{% endfor %}{% for _ in "x"|ljust:3000 %}</div>{% endfor %}',
}


@pytest.mark.parametrize("template", BROKEN.values(), ids=BROKEN)
def test_a_theme_whose_template_fails_prints_ours_in_its_colours_and_says_so(
    settings: LazySettings, tmp_path: Path, caplog: pytest.LogCaptureFixture, template: str
) -> None:
    theme = tmp_path / "broken"
    (theme / "templates" / "ticketing" / "pdf").mkdir(parents=True)
    (theme / "theme.toml").write_text('name = "broken"\ntitle = { sv = "B", en = "B" }\n[paper]\nink = "#00FF01"\n')
    (theme / "templates" / "ticketing" / "pdf" / "ticket.html").write_text(template)
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, ("themes/broken", theme)]
    themes.theme_of.cache_clear()
    order = paid(dinner(by="Broken", theme="broken"))

    [(_name, pdf)] = made(order)

    assert tickets_of(order)[0].short_code[:3] in text_of(pdf, tmp_path)
    assert "theme" in caplog.text and "PDF" in caplog.text
    assert "#00FF01" in documents.files_of(order)[0].job.css


def test_the_organisation_s_colour_is_on_the_page() -> None:
    job = documents.files_of(paid(dinner(accent_colour="#0B3D91")))[0].job

    assert "#0B3D91" in job.css and "#0B3D91" in job.poster


def test_the_theme_that_is_gone_leaves_the_default_one() -> None:
    job = documents.files_of(paid(dinner(theme="gone")))[0].job

    assert themes.Paper().ink in job.css


def told_on_a_page(order: Order, **hero: Any) -> None:
    """The event's page with a hero block."""
    home = tenancy.ensure_site()
    organisation = OrganisationPage(title="Lyktan", slug="l", organisation=order.event.organisation)
    body = json.dumps([{"type": "hero", "value": {"kicker": "", "motif": "", "photo": None, **hero}, "id": "h1"}])
    page = EventPage(title="Lucia", slug="lucia", event=order.event, body=body)
    home.add_child(instance=organisation).add_child(instance=page)


def test_the_poster_is_the_one_of_the_event_s_page() -> None:
    order = paid(dinner(accent_colour="#0B3D91"))
    told_on_a_page(order, motif="lucia", kicker="The fire brigade warns")

    job = documents.files_of(order)[0].job

    assert "The fire brigade warns" in job.html
    assert "#FFC145" in job.poster.upper() and 'fill="#1B1033"' in job.poster and "#0B3D91" not in job.poster


def test_a_photo_is_on_the_page_and_cut_anew_when_its_focal_point_moves(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    order = paid(dinner(), 3)
    photo = picture("Hall")
    told_on_a_page(order, photo=photo.pk)
    [file] = documents.files_of(order)
    assert documents.read(file) is None and not (tmp_path / "media" / "images").exists(), "no page cuts a photo"

    told = objects_of(files.ensure(file))

    assert told.count("/DCTDecode") == 1, "one picture for three pages"
    type(photo).objects.update(focal_point_x=1, focal_point_y=1, focal_point_width=1, focal_point_height=1)
    assert documents.files_of(order)[0].name != file.name


def without_a_row(photo: Any, path: Path) -> None:
    type(photo).objects.filter(pk=photo.pk).delete()


HARMS: dict[str, Any] = {
    "file-deleted": lambda photo, path: path.unlink(),
    "row-gone": without_a_row,
    "no-picture": lambda photo, path: path.write_bytes(b"not a picture"),
    "cut-off": lambda photo, path: path.write_bytes(path.read_bytes()[:60]),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_photo_that_cannot_be_read_keeps_nobody_from_their_tickets(
    settings: LazySettings,
    tmp_path: Path,
    harm: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)  # WeasyPrint turns it on where it is imported
    settings.MEDIA_ROOT = str(tmp_path / "media")
    order = paid(dinner())
    photo = picture("Hall")
    told_on_a_page(order, photo=photo.pk)
    [file] = documents.files_of(order)
    harm(photo, Path(photo.file.path))

    told = objects_of(files.ensure(file))

    assert "/DCTDecode" not in told and "/Form" in told, "the drawn poster stands there"
    assert f"photo {photo.pk} of a poster" in caplog.text and str(tmp_path) not in caplog.text


# --- Which files -------------------------------------------------------------------------------------------------


def test_an_event_may_want_one_file_for_each_ticket() -> None:
    kind = dinner(one_file_per_ticket=True)
    order = paid(kind, 3)

    found = made(order)

    assert len({name for name, _pdf in found}) == len({pdf for _name, pdf in found}) == 3
    assert [ticket.short_code in name for ticket, (name, _) in zip(tickets_of(order), found, strict=True)] == [True] * 3


def test_a_large_order_comes_in_several_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_TICKETS", 2)

    assert [len(file.sheets) for file in documents.files_of(paid(dinner(), 5))] == [2, 2, 1]


CHANGES: dict[str, Any] = {
    "title": lambda order: Event.objects.update(title_en="Another dinner"),
    "time": lambda order: Event.objects.update(starts_at=clock.now() + timedelta(days=1)),
    "venue": lambda order: Event.objects.update(venue="Elsewhere"),
    "type": lambda order: TicketType.objects.update(name_en="Another"),
    "holder": lambda order: Ticket.objects.update(holder_name="Robin Ek"),
    "version": lambda order: Ticket.objects.update(credential_version=2),
    "seller": lambda order: Organisation.objects.update(legal_name="Another"),
    "colour": lambda order: Organisation.objects.update(accent_colour="#0B3D91"),
    "theme": lambda order: Organisation.objects.update(theme="exchange"),
    "language": lambda order: Order.objects.update(locale="sv"),
    "key": lambda order: credentials.rotate(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_the_page_shows_gives_the_file_another_name(change: Any) -> None:
    order = paid(dinner())
    before = documents.files_of(order)[0].name
    assert documents.files_of(order)[0].name == before

    change(order)

    order.refresh_from_db()
    assert documents.files_of(order)[0].name != before


@pytest.mark.parametrize("per_ticket", [False, True], ids=["one-file", "each-its-own"])
def test_reading_an_order_s_files_takes_as_many_queries_for_three_tickets_as_for_one(per_ticket: bool) -> None:
    kind = dinner(one_file_per_ticket=per_ticket)
    orders = paid(kind, 1), paid(kind, 3)
    documents.files_of(orders[0])

    counts = []
    for order in orders:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            documents.files_of(order)
        counts.append(len(queries))

    assert counts == [4, 4]


# --- Made by the worker ------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_real_worker_makes_the_file_of_a_paid_order(storage: Path, tmp_path: Path, settings: LazySettings) -> None:
    order = paid(dinner(), 2)
    redis = jobs.queue_of("documents")
    assert redis.count >= 1
    place = tmp_path / "var"

    outcome(
        spawn(
            "manage.py", "rqworker", "--burst", "--worker-class", "config.worker.FoyerWorker", "documents",
            FOYER_VAR=str(place),
        ),
        seconds=120,
    )  # fmt: skip

    effect = Effect.objects.get(order=order, kind=documents.KIND)
    assert (effect.queue, effect.state, effect.tries) == ("documents", EffectState.DONE, 1)
    [path] = lying(place / "documents")
    assert path.relative_to(place / "documents") == Path(documents.files_of(order)[0].name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(codes_of(path.read_bytes(), tmp_path)) == 2


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_repeated_makes_nothing_twice(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid(dinner())
    outbox.run_all(kinds=MADE)
    [path] = lying(storage)
    written = path.stat().st_mtime_ns
    monkeypatch.setattr(rendering, "render", None)  # calling it would raise

    documents.wanted(order)
    outbox.run_all(kinds=MADE)

    assert lying(storage) == [path] and path.stat().st_mtime_ns == written
    assert set(Effect.objects.filter(kind=documents.KIND).values_list("state", flat=True)) == {EffectState.DONE}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("harm", ["lost", "cut off"])
def test_a_lost_file_is_made_again(storage: Path, harm: str) -> None:
    order = paid(dinner())
    outbox.run_all(kinds=MADE)
    [path] = lying(storage)
    if harm == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:5000])
    [file] = documents.files_of(order)
    assert documents.read(file) is None

    documents.wanted(order)
    outbox.run_all(kinds=MADE)

    assert lying(storage) == [path]
    assert (documents.read(file) or b"").startswith(b"%PDF-")


def test_two_workers_that_make_one_file_leave_one(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [file] = documents.files_of(paid(dinner()))
    made = files.ensure(file)
    lying(storage)[0].unlink()
    ready = threading.Barrier(4)

    def render(job: rendering.Job) -> bytes:
        ready.wait(timeout=10)
        return made

    monkeypatch.setattr(rendering, "render", render)
    with ThreadPoolExecutor(4) as workers:
        found = list(workers.map(files.ensure, [file] * 4))

    assert found == [made] * 4
    assert [path.relative_to(storage) for path in storage.rglob("*.*")] == [Path(file.name)]
    assert stat.S_IMODE(lying(storage)[0].stat().st_mode) == 0o600


@pytest.mark.django_db(transaction=True)
def test_what_a_worker_left_half_written_is_thrown_away_and_what_is_being_written_is_not(storage: Path) -> None:
    order = paid(dinner())
    outbox.run_all(kinds=MADE)
    [path] = lying(storage)
    old, new = path.with_suffix(".old.part"), path.with_suffix(".new.part")
    for part in (old, new):
        part.write_bytes(b"%PDF-")
    os.utime(old, (0, 0))

    documents.wanted(order)
    outbox.run_all(kinds=MADE)

    assert sorted(path.parent.iterdir()) == sorted([path, new])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("maker", ["job", "mail"])
def test_what_changes_while_it_is_made_does_not_stay(
    storage: Path, monkeypatch: pytest.MonkeyPatch, maker: str
) -> None:
    order = paid(dinner())
    render = rendering.render

    def slowly(job: rendering.Job) -> bytes:
        Ticket.objects.update(holder_name="")
        return render(job)

    monkeypatch.setattr(rendering, "render", slowly)

    if maker == "job":
        outbox.run_all(kinds=MADE)
    else:
        with pytest.raises(documents.NotMade, match="changed while"):
            documents.attachments(order)

    assert lying(storage) == []


@pytest.mark.django_db(transaction=True)
def test_an_edit_makes_a_new_file_and_throws_the_old_one_away(storage: Path) -> None:
    order = paid(dinner())
    outbox.run_all(kinds=MADE)
    before = lying(storage)
    Event.objects.update(venue="Elsewhere")

    documents.wanted(order)
    outbox.run_all(kinds=MADE)

    assert len(lying(storage)) == 1 and lying(storage) != before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [["revoked"], ["held", "superseded"], ["blocked"]], ids=lambda path: path[-1])
def test_a_ticket_that_ended_has_no_page_any_more(storage: Path, tmp_path: Path, path: list[str]) -> None:
    order = paid(dinner(), 2)
    first, second = tickets_of(order)
    outbox.run_all(kinds=MADE)
    before = lying(storage)

    for state in path:
        move(first, state)
    outbox.run_all(kinds=MADE)

    assert documents.file_of(first) is None
    assert len(before) == len(lying(storage)) == 1 and before != lying(storage)
    claims = [credentials.verify(code) for code in codes_of(lying(storage)[0].read_bytes(), tmp_path)]
    assert [claim.ticket for claim in claims] == [second.public_id]


@pytest.mark.django_db(transaction=True)
def test_a_dispute_that_is_won_brings_the_page_back(storage: Path) -> None:
    order = paid(dinner())
    [ticket] = tickets_of(order)
    move(ticket, TicketState.BLOCKED)
    outbox.run_all(kinds=MADE)
    assert lying(storage) == []

    move(ticket, TicketState.VALID)
    outbox.run_all(kinds=MADE)

    assert len(lying(storage)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_refunded_order_keeps_no_file(storage: Path) -> None:
    order = paid(dinner(), 2)
    outbox.run_all(kinds=MADE)
    assert len(lying(storage)) == 1

    refunds.order_refund(order, list(order.lines.all()), reason="refused")
    outbox.run_all(kinds=MADE)

    assert lying(storage) == [] and list(storage.iterdir()) == []
    assert documents.attachments(Order.objects.get(pk=order.pk)) == []


@pytest.mark.django_db(transaction=True)
def test_a_runaway_template_is_stopped_and_said_so_while_others_go_on(
    storage: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings, tmp_path: Path, client: Client
) -> None:
    theme = tmp_path / "runaway"
    (theme / "templates" / "ticketing" / "pdf").mkdir(parents=True)
    (theme / "theme.toml").write_text('name = "runaway"\ntitle = { sv = "R", en = "R" }\n')
    (theme / "templates" / "ticketing" / "pdf" / "ticket.html").write_text(
        '<table>{% for letter in "x"|ljust:30000 %}<tr><td>x</td></tr>{% endfor %}</table>'
    )
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, ("themes/runaway", theme)]
    themes.theme_of.cache_clear()
    monkeypatch.setattr(rendering, "CPU_SECONDS", 2)
    runaway, other = paid(dinner(by="Runaway", theme="runaway")), paid(dinner(by="Other"))

    outbox.run_all(kinds=MADE)

    effect = Effect.objects.get(order=runaway, kind=documents.KIND)
    assert effect.state == EffectState.DUE and effect.due_at > clock.now() + timedelta(minutes=50)
    assert documents.why_not(runaway) == "Failed: The PDF took more time or memory than it may."
    assert (documents.why_not(other), len(lying(storage))) == ("", 1)
    page = client.get(order_address(runaway))
    assert (page.status_code, "takes longer than it should" in page.content.decode()) == (202, True)
    assert client.get(ticket_page_address(runaway)).status_code == 200

    with clock_moved(timedelta(hours=5)):
        outbox.run(effect.pk)
    with clock_moved(timedelta(hours=10)):
        outbox.run(effect.pk)
        effect.refresh_from_db()
        assert (effect.state, effect.tries) == (EffectState.DEAD, documents.COSTLY_TRIES)
        page = client.get(order_address(runaway))
        assert (page.status_code, "could not be made" in page.content.decode()) == (202, True)
        assert "takes longer" not in page.content.decode() and "http-equiv" not in page.content.decode()
        assert Effect.objects.filter(order=runaway, kind=documents.KIND).count() == 1, "not again today"
    with clock_moved(timedelta(hours=40)):
        client.get(order_address(runaway))
        assert Effect.objects.filter(order=runaway, kind=documents.KIND).count() == 2


@pytest.mark.django_db(transaction=True)
def test_files_that_wait_for_their_turn_are_no_failure(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid(dinner())
    monkeypatch.setattr(documents, "TURN_SECONDS", -1)

    outbox.run_all(kinds=MADE)

    effect = Effect.objects.get(order=order, kind=documents.KIND)
    assert (effect.state, effect.tries, documents.why_not(order)) == (EffectState.DUE, 0, "")
    assert "takes longer than it should" not in client.get(order_address(order)).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_makes_no_file_and_tells_the_mail(storage: Path) -> None:
    order = paid(dinner())
    storage.write_text("a file where the folder should be")

    with pytest.raises(documents.NotMade, match="could not be kept"):
        documents.attachments(order)


# --- Afterwards --------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_nothing_stays_of_a_person_who_is_erased(storage: Path) -> None:
    user = factories.user()
    kind = dinner()
    over, coming = paid(kind), paid(dinner(by="Coming"))
    Order.objects.update(user=user)
    Ticket.objects.update(owner=user)
    outbox.run_all(kinds=MADE)
    assert len(lying(storage)) == 2
    past = clock.now() - timedelta(days=2)
    Event.objects.filter(pk=over.event_id).update(starts_at=past - timedelta(hours=6), ends_at=past)

    with transaction.atomic():
        TicketingData().erase(user)
        assert len(lying(storage)) == 2, "it may still be taken back"

    assert [path.parent.name for path in lying(storage)] == [files.folder_of(coming.public_id)]
    assert not any("Alva" in file.job.html for file in documents.files_of(over))


@pytest.mark.django_db(transaction=True)
def test_the_sweep_leaves_only_files_of_what_is_to_come(storage: Path) -> None:
    over, coming = paid(dinner(by="Over")), paid(dinner(by="Coming"))
    outbox.run_all(kinds=MADE)
    files.storage().save("0" * 32 + "/left.pdf", ContentFile(b"of an order that is gone"))
    past = clock.now() - timedelta(days=8)
    Event.objects.filter(pk=over.event_id).update(starts_at=past - timedelta(hours=6), ends_at=past)

    documents.sweep()

    assert [path.parent.name for path in lying(storage)] == [files.folder_of(coming.public_id)]
    assert len(list(storage.iterdir())) == 1


def test_the_sweep_of_a_house_without_files_is_quiet(storage: Path) -> None:
    documents.sweep()

    assert not storage.exists()


# --- Downloads ---------------------------------------------------------------------------------------------------


def order_address(order: Order, query: str = "") -> str:
    with override("en"):
        return reverse("ticketing:order_pdf", args=[order.reference, order.secret]) + query


def ticket_address(ticket: Ticket) -> str:
    with override("en"):
        return reverse("ticketing:ticket_pdf", args=[ticket.public_id, ticket.secret])


def ticket_page_address(order: Order) -> str:
    ticket = tickets_of(order)[0]
    with override("en"):
        return reverse("ticketing:ticket", args=[ticket.public_id, ticket.secret])


def test_a_file_is_downloaded_under_a_name_for_old_and_new_programs(client: Client) -> None:
    order = paid(dinner(title_sv="Gåsmiddag 2026 王", title_en=""), 2)
    [(_name, pdf)] = made(order)

    response = client.get(order_address(order))

    assert (response.status_code, response["Content-Type"], response.content) == (200, "application/pdf", pdf)
    assert (response["Cache-Control"], response["Referrer-Policy"]) == ("private, no-store", "no-referrer")
    assert response["Content-Disposition"] == (
        f'attachment; filename="tickets-to-gasmiddag-2026-{order.reference.lower()}.pdf"; '
        f"filename*=UTF-8''Tickets%20to%20G%C3%A5smiddag%202026%20%E7%8E%8B%20{order.reference}.pdf"
    )


def test_a_ticket_s_own_file_holds_that_ticket_alone(client: Client, tmp_path: Path) -> None:
    order = paid(dinner(), 2)
    first, second = tickets_of(order)
    files.ensure(documents.file_of(second))  # type: ignore[arg-type]

    response = client.get(ticket_address(second))

    assert credentials.verify(codes_of(response.content, tmp_path)[0]).ticket == second.public_id
    assert "ticket 2 of 2" in text_of(response.content, tmp_path)
    assert client.get(ticket_address(first)).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_not_there_is_asked_for_and_comes(
    client: Client, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(dinner())
    Effect.objects.all().delete()
    with monkeypatch.context() as forbidden:
        forbidden.setattr(rendering, "render", None)  # no page waits for one
        answers = [client.get(order_address(order)) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202] * 5
    page = answers[0].content.decode()
    assert '<meta http-equiv="refresh" content="2;url=' in page and "looked=1" in page
    assert Effect.objects.filter(kind=documents.KIND).count() in (1, 2)  # one a minute
    outbox.run_all(kinds=MADE)
    assert client.get(order_address(order, "?looked=3"))["Content-Type"] == "application/pdf"


def test_the_page_that_waits_gives_up_looking(client: Client) -> None:
    order = paid(dinner())

    page = client.get(order_address(order, "?looked=15")).content.decode()

    assert "http-equiv" not in page
    assert "takes longer than it should" in page


@pytest.mark.parametrize("query", ["?looked=-1", "?looked=x", "?looked=99999", "?looked=²", "?file=0", "?file=99"])
def test_what_makes_no_sense_in_the_address_is_left_out(client: Client, query: str) -> None:
    assert client.get(order_address(paid(dinner()), query)).status_code == 202


def test_looking_up_the_link_asks_for_nothing(client: Client) -> None:
    order = paid(dinner())
    Effect.objects.all().delete()

    assert client.head(order_address(order)).status_code == 202

    assert not Effect.objects.exists()


def test_several_files_are_listed(client: Client) -> None:
    order = paid(dinner(one_file_per_ticket=True), 2)
    found = made(order)

    page = client.get(order_address(order))

    assert page.status_code == 200
    assert tickets_of(order)[0].holder_name in page.content.decode()
    assert [f'href="?file={number}"' in page.content.decode() for number in (1, 2, 3)] == [True, True, False]
    assert client.get(order_address(order, "?file=2")).content == found[1][1]


def test_a_ticket_without_a_holder_is_listed_by_its_code_alone(client: Client) -> None:
    order = paid(dinner(one_file_per_ticket=True), 2)
    Ticket.objects.update(holder_name="")

    page = client.get(order_address(order)).content.decode()

    assert '<small><span class="nowrap">' in page


def test_a_wrong_secret_and_an_order_that_is_not_paid_have_no_file(client: Client) -> None:
    order = paid(dinner())
    unpaid = factories.reserved_order()
    ticket = tickets_of(order)[0]
    made(order)

    Order.objects.filter(pk=order.pk).update(secret="a-secret-of-another-kind")
    assert client.get(order_address(order)).status_code == 404
    assert client.get(order_address(unpaid)).status_code == 404
    Ticket.objects.filter(pk=ticket.pk).update(state=TicketState.REVOKED)
    assert client.get(ticket_address(ticket)).status_code == 404


def test_the_pages_lead_to_the_files(client: Client) -> None:
    order = paid(dinner(), 2)
    with override("en"):
        address = reverse("ticketing:order", args=[order.reference, order.secret])

    assert order_address(order) in client.get(address).content.decode()
    assert ticket_address(tickets_of(order)[0]) in client.get(ticket_page_address(order)).content.decode()


def test_a_download_costs_as_many_queries_for_three_tickets_as_for_one(client: Client) -> None:
    kind = dinner()
    counts = []
    for number in (1, 3):
        order = paid(kind, number)
        made(order)
        client.get(order_address(order))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(order_address(order)).status_code == 200
        counts.append(len(queries))

    assert counts == [5, 5]
