"""What about a sale speaks against publishing the page that sells: contradictions that would otherwise be found by the
first buyer. Asked through `TicketOffers` (offers); each comes with the address of the desk where it is mended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.events.extensions import Problem
from apps.events.models import Event
from apps.events.wording import write_moment, write_money
from apps.ticketing import catalogue, clock, payments
from apps.ticketing.catalogue import Catalogue, TypeFacts
from apps.ticketing.models import Quota, TicketType


def problems(event: Event, public_at: datetime) -> list[Problem]:
    """Why a page that sells `event` should not become public at `public_at`. Reads the catalogue as it is now; of an
    event that is over, or whose sale was ended, nothing is asked."""
    facts = catalogue.load(event.pk, fresh=True)
    if not facts.types or facts.is_ended or event.ends_at <= public_at:
        return []
    quotas = {quota.pk: quota for quota in Quota.objects.filter(event=event)}
    found = list(_of_the_seller(event, facts))
    for kind in facts.types:
        url = reverse("ticket_type_desk:edit", args=[kind.public_id])
        found += [Problem(sentence, url) for sentence in _of_type(event, facts, kind, quotas, public_at)]
    return found + list(_of_what_never_comes(event, facts, quotas))


def nothing_to_sell(event: Event) -> list[Problem]:
    """The problem of a ticket block whose event has no published ticket type."""
    if catalogue.load(event.pk, fresh=True).types:
        return []
    sentence = _("The page has a ticket block, but “%(event)s” has no ticket to sell: add one, or take the block away.")
    return [Problem(sentence % {"event": event.title}, reverse("event_desk:edit", args=[event.public_id]))]


def _of_the_seller(event: Event, facts: Catalogue) -> Iterator[Problem]:
    if not event.organisation.legal_name.strip():
        sentence = _("Buyers cannot see with whom they make their contract: %(organisation)s has no legal name yet.")
        url = reverse("organisation_desk:edit", args=[event.organisation.public_id])
        yield Problem(sentence % {"organisation": event.organisation.name}, url)
    choices = [choice for kind in facts.types for variation in kind.variations for choice in variation.choices]
    costs = any(kind.price_minor for kind in facts.types) or any(choice.delta_minor > 0 for choice in choices)
    if costs and not payments.available(event.currency, event):
        sentence = _("Something costs money, but there is no way to pay in %(currency)s. Ask whoever runs the site.")
        yield Problem(sentence % {"currency": event.currency}, reverse("event_desk:edit", args=[event.public_id]))


def _of_what_never_comes(event: Event, facts: Catalogue, quotas: dict[int, Quota]) -> Iterator[Problem]:
    """Types that wait for one to be sold out that cannot be bought."""
    left = {pk: quota.left for pk, quota in quotas.items()}
    waiting = [kind.id for kind in facts.later_types if not facts.shows(kind, left)]
    rows = TicketType.objects.filter(pk__in=waiting, after_type__is_published=False).select_related("after_type")
    for row in rows if waiting else ():
        sentence = _("“%(ticket)s” is shown when “%(earlier)s” is sold out, but that is not published.")
        names = {"ticket": row.name, "earlier": row.after_type.name if row.after_type else ""}
        yield Problem(sentence % names, reverse("ticket_type_desk:edit", args=[row.public_id]))


def _of_type(
    event: Event, facts: Catalogue, kind: TypeFacts, quotas: dict[int, Quota], public_at: datetime
) -> Iterator[str]:
    named = {"ticket": kind.name}
    own = [quotas[pk] for pk in kind.quota_ids if pk in quotas]
    if not own:
        yield _("“%(ticket)s” takes from no quota, so there is none to sell.") % named
    # A page that is published now cannot come too late for a sale that is on already.
    if kind.opens_at is not None and kind.opens_at < public_at and clock.now() < public_at:
        yield _("“%(ticket)s” goes on sale %(opens)s, before the page becomes public %(public)s.") % {
            **named,
            "opens": write_moment(kind.opens_at, event.time_zone),
            "public": write_moment(public_at, event.time_zone),
        }
    for quota in own:
        if kind.min_per_order > quota.size:
            yield _(
                "“%(ticket)s” is sold at least %(least)d at a time, but the quota “%(quota)s” has only %(size)d."
            ) % {**named, "least": kind.min_per_order, "quota": quota.name, "size": quota.size}
    for limit in (kind.max_per_person, facts.max_per_person):
        if limit is not None and kind.min_per_order > limit:
            yield _("“%(ticket)s” is sold at least %(least)d at a time, but one person may have only %(limit)d.") % {
                **named,
                "least": kind.min_per_order,
                "limit": limit,
            }
            break
    for variation in kind.variations:
        if variation.is_mandatory and not variation.choices:
            yield _("“%(question)s” must be answered for “%(ticket)s”, but there is nothing to choose.") % {
                **named,
                "question": variation.name,
            }
        for choice in variation.choices:
            if kind.price_minor + choice.delta_minor < 0:
                yield _(
                    "“%(choice)s” takes %(amount)s off “%(ticket)s”, which costs only %(price)s: correct one price."
                ) % {
                    **named,
                    "choice": choice.name,
                    "amount": write_money(-choice.delta_minor, event.currency),
                    "price": write_money(kind.price_minor, event.currency),
                }
