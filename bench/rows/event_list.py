"""The list of a thousand events, rendered anew for each visitor: what one pays who searches, or is signed in."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from bench.frame import Figure, Row
from bench.house import House

COMING, PAST, ORGANISATIONS = 800, 200, 10
TIMES = 60
TEXT = "Tre rätter, kören klockan nio och glögg vid elden. " * 5
BODY = [
    {"type": "text", "value": f"<p>{TEXT}</p>", "id": "words"},
    {"type": "tickets", "value": {"heading": "", "event": None}, "id": "tickets"},
]
PAGES = (
    ("the list", "/sv/events/", 100),
    ("its last page", "/sv/events/?page=34", 100),
    ("by an association and month", "/sv/events/?by=association-3&when=month", 100),
    ("past events", "/sv/events/?show=past", 100),
    ("a word", "/sv/events/?q=kvall+glogg", 100),
    ("the start page", "/sv/", 100),
    ("an association's calendar", "/sv/events/association-3.ics", None),
)


def prepare() -> None:
    """A thousand public events of ten associations, each with a ticket, their pages in both languages."""
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection
    from wagtail.models import Page, Site

    from apps.events import tenancy
    from apps.events.finding import fold
    from apps.events.models import Event, EventPage, OrganisationPage
    from apps.ticketing import clock
    from apps.ticketing.models import Quota, TicketType

    Site.clear_site_root_paths_cache()  # of the database that the last row left
    at = clock.now()
    owners = [
        tenancy.create_organisation(f"Association {number}", slug=f"association-{number}")
        for number in range(ORGANISATIONS)
    ]
    days = [n * 0.4 + 1 if n < COMING else COMING - n - 2 for n in range(COMING + PAST)]
    events = Event.objects.bulk_create(
        Event(
            organisation=owners[number % ORGANISATIONS],
            title_sv=f"Kväll {number}",
            starts_at=at + timedelta(days=day),
            ends_at=at + timedelta(days=day, hours=6),
            venue="Kårhuset",
        )
        for number, day in enumerate(days)
    )
    quotas = Quota.objects.bulk_create(Quota(event=event, name="Places", size=100) for event in events)
    kinds = TicketType.objects.bulk_create(
        TicketType(event=event, name_sv="Biljett", price_minor=25_000) for event in events
    )
    TicketType.quotas.through.objects.bulk_create(
        TicketType.quotas.through(tickettype=kind, quota=quota) for kind, quota in zip(kinds, quotas, strict=True)
    )
    # What add_child does, a thousand times faster.
    kind_of_page = ContentType.objects.get_for_model(EventPage)
    for root in OrganisationPage.objects.select_related("locale"):
        own = [event for event in events if event.organisation_id == root.organisation_id]
        pages = Page.objects.bulk_create(
            Page(
                title=event.title_sv,
                draft_title=event.title_sv,
                slug=f"event-{event.pk}",
                url_path=f"{root.url_path}event-{event.pk}/",
                path=Page._get_path(root.path, root.depth + 1, place),
                depth=root.depth + 1,
                locale=root.locale,
                content_type=kind_of_page,
            )
            for place, event in enumerate(own, 1)
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO events_eventpage (page_ptr_id, event_id, body, words) VALUES (%s, %s, %s, %s)",
                [
                    (page.pk, event.pk, json.dumps(BODY), fold(f"{event.title_sv} {TEXT}"))
                    for page, event in zip(pages, own, strict=True)
                ],
            )
        Page.objects.filter(pk=root.pk).update(numchild=len(own))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def measure(house: House) -> Sequence[Figure]:
    """The time to the whole answer, one visitor at a time."""
    prepare()
    return time_pages(house, PAGES)


def time_pages(house: House, pages: Sequence[tuple[str, str, int | None]]) -> Sequence[Figure]:
    """How long these pages (name, address, most milliseconds) take, and what the servers do for the first of them."""
    from django.conf import settings

    address = urlsplit(house.site_url)
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}=none"}  # whoever has a session is given no kept page
    figures: list[Figure] = []
    work: list[Figure] = []
    with house.running("site"):
        for name, path, most in pages:
            times = []
            cpu = house.cpu_seconds("site", "postgres")
            connection = http.client.HTTPConnection(address.hostname or "", address.port)
            for _number in range(TIMES + 5):
                began = time.perf_counter()
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                content = answer.read()
                times.append((time.perf_counter() - began) * 1000)
                assert answer.status == 200 and len(content) > 1_000, f"{path} answered {answer.status}"
            connection.close()
            p95 = sorted(times[5:])[int(TIMES * 0.95)]
            if not figures:
                cpu = house.cpu_seconds("site", "postgres") - cpu
                work.append(Figure(f"{name}, the servers' work", cpu / len(times) * 1000, "CPU ms"))
            figures.append(Figure(f"{name}, p95", p95, "ms", at_most=most))
    return [*figures, *work]


ROW = Row(
    name="event_list",
    what=f"the list of {COMING + PAST} events rendered anew, by word, month and association, and what else lists them",
    measure=measure,
    floor_connections=1,
)
