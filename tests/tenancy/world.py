"""Two associations with everything an organiser can own, and somebody in every role."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.images import ImageFile
from PIL import Image as Picture
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.models import Collection, Page

from apps.accounts.models import User
from apps.events import tenancy
from apps.events.models import Event, EventPage, Organisation, OrganisationPage
from apps.ticketing import clock, queue
from apps.ticketing.models import Choice, Draw, Order, Quota, TicketType, Variation
from apps.ticketing.payments import settle
from tests import factories


@dataclass
class World:
    """One association. `mark` is a word that stands in all its texts and in nobody else's."""

    mark: str
    organisation: Organisation
    root: OrganisationPage
    event: Event
    page: EventPage
    quota: Quota
    kind: TicketType
    variation: Variation
    choice: Choice
    image: Any
    document: Any
    editor: User
    treasurer: User
    door: User


def member(organisation: Organisation, role: tenancy.Role, **values: Any) -> User:
    user = factories.user(**values)
    user.groups.add(getattr(organisation, role.value))
    return user


def page_of(event: Event, root: Page, *, publish: bool = True, **values: Any) -> EventPage:
    """A page of `event` under the organisation's page `root`."""
    body = values.pop("body", [{"type": "text", "value": "<p>Välkommen</p>", "id": "t1"}])
    values = {"title": event.title_sv, "slug": f"event-{event.pk}", **values}
    page = EventPage(event=event, locale=root.locale, body=json.dumps(body), live=publish, **values)
    Page.objects.get(pk=root.pk).add_child(instance=page)
    return page


def picture(title: str, collection: Any = None, *, size: tuple[int, int] = (32, 24)) -> Any:
    """A picture in the library; without a collection in the root, which an emptied database may lack."""
    collection = collection or Collection.get_first_root_node() or Collection.add_root(name="Root")
    file = io.BytesIO()
    Picture.new("RGB", size, "#A5124B").save(file, "PNG")
    return get_image_model().objects.create(
        title=title, file=ImageFile(io.BytesIO(file.getvalue()), name=f"{title}.png"), collection=collection
    )


def sell(world: World, **values: Any) -> Order:
    """A paid order with its ticket, mails and bookings."""
    order = factories.order(world.event, factories.wanted(world.kind, 1, (world.choice, 1)), **values)
    queue.drain(world.event.pk)
    order.refresh_from_db()
    due = factories.payment(order)
    settle.settle(factories.notice(due), provider=due.provider)
    order.refresh_from_db()
    return order


def make_world(mark: str) -> World:
    organisation = tenancy.create_organisation(
        f"Föreningen {mark}", slug=f"{mark.lower()}-society", legal_name=f"Föreningen {mark}"
    )
    event = factories.event(
        organisation=organisation, title_sv=f"Fest {mark}", title_en=f"Party {mark}", venue=f"Lokal {mark}"
    )
    quota = factories.quota(event, 10, name=f"Platser {mark}")
    kind = factories.ticket_type(event, quota, name_sv=f"Biljett {mark}", name_en=f"Ticket {mark}")
    # Held already, so that orders go to the queue.
    Draw.objects.create(
        event=event, closes_at=clock.now(), seed="00" * 32, seed_hash="0" * 64, drawn_at=clock.now(), entries=0
    )
    variation = factories.variation(kind, name_sv=f"Dryck {mark}", name_en=f"Beverage {mark}")
    root = OrganisationPage.objects.get(pk=organisation.root_page_id)
    document = get_document_model().objects.create(
        title=f"Protokoll {mark}", file=ContentFile(b"text", name=f"{mark}.txt"), collection=organisation.collection
    )
    people = {
        role: member(organisation, role, email=f"{role.value}-{mark.lower()}@example.org", name=f"{role.value} {mark}")
        for role in tenancy.ALL_ROLES
    }
    page = page_of(event, root)
    Page.objects.filter(pk=page.pk).update(owner=people[tenancy.Role.EDITOR])
    return World(
        mark=mark,
        organisation=organisation,
        root=root,
        event=event,
        page=page,
        quota=quota,
        kind=kind,
        variation=variation,
        choice=factories.choice(variation, name_sv=f"Cider {mark}", name_en=f"Cider {mark}"),
        image=picture(f"Affisch {mark}", organisation.collection),
        document=document,
        editor=people[tenancy.Role.EDITOR],
        treasurer=people[tenancy.Role.TREASURER],
        door=people[tenancy.Role.DOOR],
    )
