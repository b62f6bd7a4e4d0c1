"""A volunteer without an account, with a pass: what it opens, and everything it does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.checkin import passes, scans
from apps.checkin.models import GatePass, Scan
from apps.ticketing import clock
from apps.ticketing.models import AuditEntry
from tests import factories
from tests.checkin.conftest import Evening, paid_tickets
from tests.clock import clock_moved


def door(evening: Evening) -> str:
    return reverse("checkin:door", args=[evening.event.public_id])


def link(secret: str) -> str:
    return reverse("checkin:pass", args=[secret])


@pytest.fixture
def given(evening: Evening) -> tuple[GatePass, str]:
    return passes.give(evening.event, holder_name="Kim", by=evening.robin, gate="Entrance B")


@pytest.fixture
def kim(given: tuple[GatePass, str], client: Client) -> Client:
    """A phone on which the pass was opened."""
    client.cookies["language"] = "en"
    client.post(link(given[1]))
    return client


def test_link_says_whose_pass_it_is_and_one_button_begins(
    evening: Evening, given: tuple[GatePass, str], client: Client
) -> None:
    client.cookies["language"] = "en"

    seen = client.get(link(given[1]))
    begun = client.post(link(given[1]))

    assert "You are Kim at Lucia dinner, Entrance B." in seen.content.decode()
    assert "no-store" in seen.headers["Cache-Control"]
    assert (seen.headers["Referrer-Policy"], seen.headers["X-Robots-Tag"]) == ("strict-origin", "noindex, nofollow")
    assert (begun.status_code, begun["Location"]) == (302, door(evening))
    page = client.get(door(evening))
    assert page.status_code == 200
    assert "Kim" in page.content.decode() and "Entrance B" in page.content.decode()
    assert not page.wsgi_request.user.is_authenticated


def test_looking_at_the_link_uses_nothing_up(given: tuple[GatePass, str], client: Client) -> None:
    """Chat apps fetch every link that is sent."""
    for method in ("get", "head"):
        answer = getattr(client, method)(link(given[1]))
        assert answer.status_code == 200

    given[0].refresh_from_db()
    assert (given[0].phones, given[0].opened_at, Session.objects.count()) == (0, None, 0)


def test_beginning_needs_a_form_of_ours(given: tuple[GatePass, str]) -> None:
    answer = Client(enforce_csrf_checks=True).post(link(given[1]))

    assert answer.status_code == 403
    given[0].refresh_from_db()
    assert given[0].phones == 0


def test_session_gets_a_new_key(given: tuple[GatePass, str], client: Client) -> None:
    client.session["left_behind"] = True
    session = client.session
    session["left_behind"] = True
    session.save()
    before = client.cookies["sessionid"].value

    client.post(link(given[1]))

    after = client.cookies["sessionid"].value
    assert before != after
    assert [row.session_key for row in Session.objects.all()] == [after]


@pytest.mark.parametrize("secret", ["", "x", "nonsense" * 20, "a" * 5000])
def test_unknown_link_is_not_found(evening: Evening, client: Client, secret: str) -> None:
    assert client.get(f"/door/pass/{secret}/").status_code == 404


def test_only_the_hash_of_the_secret_is_kept(given: tuple[GatePass, str]) -> None:
    row = GatePass.objects.filter(pk=given[0].pk).values().get()

    assert given[1] not in {str(value) for value in row.values()}
    assert row["secret_hash"] == passes.hash_of(given[1])


def test_scan_by_a_pass_tells_colleagues_who_and_where(
    evening: Evening, given: tuple[GatePass, str], kim: Client
) -> None:
    (ticket,) = evening.tickets()

    first = kim.post(door(evening), {"code": ticket.short_code}).content.decode()
    again = kim.post(door(evening), {"code": ticket.short_code}).content.decode()

    entry = Scan.objects.filter(outcome="admitted").get()
    assert (entry.by, entry.gate_pass, entry.gate) == (None, given[0], "Entrance B")
    assert ">IN<" in first
    assert "by Kim" in again and "Entrance B" in again
    audit = AuditEntry.objects.get(model="ticketing.ticket", row_id=ticket.pk)
    assert (audit.new, audit.actor, audit.actor_name) == ("used", None, "Kim")


def test_pass_opens_no_other_door(evening: Evening, given: tuple[GatePass, str], kim: Client) -> None:
    elsewhere = factories.event(organisation=evening.organisation, starts_at=clock.now())
    kind = factories.ticket_type(elsewhere, factories.quota(elsewhere))
    (theirs,) = paid_tickets(elsewhere, kind)
    scan = scans.admit(theirs.short_code, event=elsewhere, by=evening.robin).scan_id
    turned_away = scans.admit(theirs.short_code, event=elsewhere, by=evening.robin).scan_id
    names = [("door", []), ("search", []), ("admit_order", []), ("gate", []), ("undo", [scan])]
    names += [("anyway", [turned_away])]

    for name, more in names:
        address = reverse(f"checkin:{name}", args=[elsewhere.public_id, *more])
        answers = [kim.get(address), kim.post(address, {"code": theirs.short_code, "tickets": str(theirs.public_id)})]
        assert {answer.status_code for answer in answers} <= {404, 405}, name

    # Their ticket is unknown at this door, by code and by id, and found by no search.
    unknown = kim.post(door(evening), {"code": theirs.short_code}).content.decode()
    by_id = kim.post(reverse("checkin:admit_order", args=[evening.event.public_id]), {"tickets": str(theirs.public_id)})
    found = kim.post(reverse("checkin:search", args=[evening.event.public_id]), {"q": "Alva"}).content.decode()
    assert "Unknown code" in unknown and by_id.status_code == 400 and theirs.short_code not in found
    assert Scan.objects.filter(checkin_list__event=elsewhere).count() == 2  # those of the other door


def test_pass_gives_no_other_right(kim: Client) -> None:
    for address in ("/admin/", "/my/", "/accounts/email/"):
        answer = kim.get(address)
        assert (answer.status_code, "/accounts/login/" in answer["Location"]) == (302, True), address


@pytest.mark.parametrize("end", ["revoked", "expired"])
@pytest.mark.parametrize("htmx", [False, True], ids=["page", "htmx"])
def test_pass_that_has_ended_says_so_and_registers_nothing(
    evening: Evening, given: tuple[GatePass, str], kim: Client, end: str, htmx: bool
) -> None:
    (ticket,) = evening.tickets()
    (inside,) = evening.tickets()
    kim.post(door(evening), {"code": inside.short_code})
    scan = Scan.objects.get()
    headers = {"HX-Request": "true"} if htmx else {}
    if end == "revoked":
        passes.revoke(given[0])
    event_id = evening.event.public_id
    with clock_moved(timedelta(days=9) if end == "expired" else timedelta(0)):
        answers = [
            kim.get(door(evening), headers=headers),
            kim.post(door(evening), {"code": ticket.short_code}, headers=headers),
            kim.post(reverse("checkin:search", args=[event_id]), {"q": "Alva"}, headers=headers),
            kim.post(reverse("checkin:admit_order", args=[event_id]), {"tickets": ticket.public_id}, headers=headers),
            kim.post(reverse("checkin:undo", args=[event_id, scan.public_id]), {"reason": "mistake"}, headers=headers),
            kim.post(reverse("checkin:gate", args=[event_id]), {"gate": "A"}, headers=headers),
            kim.get(link(given[1])),
            kim.post(link(given[1])),
        ]

    assert [answer.status_code for answer in answers] == [403] * len(answers)
    pages = [answer.content.decode() for answer in answers]
    assert all("Your pass has ended" in page and "Alva" not in page for page in pages)
    assert ("<html" in pages[1]) is not htmx
    assert [ticket.__class__.objects.get(pk=row.pk).state for row in (ticket, inside)] == ["valid", "used"]
    assert Scan.objects.count() == 1


def test_desk_learns_on_how_many_phones_a_pass_was_opened(given: tuple[GatePass, str]) -> None:
    one, other = Client(), Client()

    for phone in (one, one, other):
        phone.post(link(given[1]))

    given[0].refresh_from_db()
    assert given[0].phones == 2


def test_use_is_noted_once_a_minute(
    evening: Evening, given: tuple[GatePass, str], kim: Client, django_assert_num_queries
) -> None:
    first = GatePass.objects.get().last_used_at
    with django_assert_num_queries(4):  # session, pass, crowd, latest
        kim.get(door(evening))
    assert GatePass.objects.get().last_used_at == first

    with clock_moved(timedelta(seconds=61)):
        kim.get(door(evening))
    assert GatePass.objects.filter(last_used_at__gt=first).exists()


def test_scan_by_a_pass_asks_few_questions(evening: Evening, kim: Client, django_assert_num_queries) -> None:
    """Session, pass, lock, move with its audit, scan, order; the crowd is counted once a second. Two are savepoints."""
    first, second = evening.tickets(2)
    kim.post(door(evening), {"code": first.short_code}, headers={"HX-Request": "true"})

    with django_assert_num_queries(7 + 2):  # a short code is looked up, a QR code is not
        answer = kim.post(door(evening), {"code": second.short_code}, headers={"HX-Request": "true"})

    assert ">IN<" in answer.content.decode()
    assert "sessionid" not in answer.cookies


def test_pass_goes_before_the_account_and_the_account_remains(evening: Evening, given: tuple[GatePass, str]) -> None:
    phone = Client()
    phone.force_login(evening.robin)
    first, second = evening.tickets(2)

    phone.post(link(given[1]))
    phone.post(door(evening), {"code": first.short_code})
    passes.revoke(given[0])
    phone.post(door(evening), {"code": second.short_code})

    assert list(Scan.objects.order_by("pk").values_list("by", "gate_pass")) == [
        (None, given[0].pk),
        (evening.robin.pk, None),
    ]


def test_list_shows_the_events_of_a_phones_passes(evening: Evening, given: tuple[GatePass, str], kim: Client) -> None:
    factories.event(title_en="Somebody else's", starts_at=clock.now())

    page = kim.get(reverse("checkin:events")).content.decode()
    assert door(evening) in page and "Somebody else" not in page

    passes.revoke(given[0])
    assert kim.get(reverse("checkin:events")).status_code == 302


def test_scan_keeps_its_pass_for_good(evening: Evening, given: tuple[GatePass, str], kim: Client) -> None:
    """The name goes with the event's data, on the pass; the scan still tells one volunteer from another."""
    (ticket,) = evening.tickets()
    kim.post(door(evening), {"code": ticket.short_code})
    other, _ = passes.give(evening.event, holder_name="Other", by=None)
    rows = Scan.objects.all()

    for values in ({"gate_pass": other}, {"gate_pass": None}, {"overrode": "door_revoked"}, {"note": "new words"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**values)
    GatePass.objects.filter(pk=given[0].pk).update(holder_name="")

    page = kim.post(door(evening), {"code": ticket.short_code}).content.decode()
    assert "Already in" in page and "by Kim" not in page
