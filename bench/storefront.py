"""The event that is sold: its page in the house, one quota, one type with a beverage to choose."""

from __future__ import annotations

from dataclasses import dataclass

TITLE = "Lucia dinner"
WORDS = "<p>Three courses, the choir at nine, and glögg by the fire. Dress for a cold walk home.</p>"


@dataclass(frozen=True)
class Sold:
    """What is sold: keys for asking the database, the page's address for buyers. `links` are presale links to it, and
    `code` one that may be typed; of each ten buyers one uses a link and one the code, where there are any."""

    event_id: int
    page: str
    form: str
    links: tuple[str, ...] = ()
    code: str = ""

    def page_for(self, number: int) -> str:
        """Where the buyer of this number begins."""
        return self.links[number // 10 % len(self.links)] if self.links and number % 10 == 0 else self.page

    def code_for(self, number: int) -> str:
        """The code which they type, if any."""
        return self.code if number % 10 == 5 else ""


def prepare(size: int, *, name: str = "Lyktan") -> Sold:
    """Make an association of this name, its event with `size` places, and the published page that sells them."""
    from django.db import connection
    from django.urls import reverse
    from django.utils.translation import override
    from wagtail.models import Page, Site

    from apps.events import tenancy
    from apps.events.models import OrganisationPage
    from tests import factories
    from tests.tenancy.world import page_of

    Site.clear_site_root_paths_cache()  # of the database that the last row left
    organisation = tenancy.create_organisation(name)
    event = factories.event(organisation=organisation, title_en=TITLE)
    kind = factories.ticket_type(event, factories.quota(event, size), name_en="Dinner", max_per_order=6)
    beverage = factories.variation(kind)
    for name in ("Cider", "Alcohol-free"):
        factories.choice(beverage, name_en=name)
    root = OrganisationPage.objects.get(organisation=organisation, locale__language_code="en")
    body = [
        {"type": "text", "value": WORDS, "id": "words"},
        {"type": "tickets", "value": {"heading": "", "event": None}, "id": "tickets"},
    ]
    page = page_of(event, root, title=TITLE, slug="lucia", body=body)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with override("en"):
        form = reverse("ticketing:form", args=[event.public_id])
    return Sold(event.pk, Page.objects.get(pk=page.pk).get_url() or "", form)


def left_undone(event_id: int, size: int) -> list[str]:
    """What is not as it should be when everybody was served: too many or too few places taken, somebody still queued,
    a broken invariant. Sentences."""
    from apps.ticketing import invariants
    from apps.ticketing.models import Order, Quota, Ticket

    taken = Quota.objects.get(event_id=event_id).taken
    tickets = Ticket.objects.filter(event_id=event_id).count()
    queued = Order.objects.filter(event_id=event_id, state="queued").count()
    wrong = [f"{taken} of {size} places are taken"] if taken != size else []
    wrong += [f"there are {tickets} tickets for {size} places"] if tickets != size else []
    wrong += [f"{queued} orders are still queued"] if queued else []
    return wrong + [str(violation) for violation in invariants.check()]
