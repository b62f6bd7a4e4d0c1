"""What a page says to machines, in the words of schema.org (JSON-LD).

It is data in a script element of a type that no browser runs, so the content security policy has nothing to say; words
in it are written so that none can end the element.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from apps.events.extensions import Offer
from apps.events.models import Event, EventPage, OrganisationPage
from apps.events.sharing import Sharing, whole
from apps.events.wording import EXPONENT

SCHEMA = "https://schema.org"
ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def written(*things: dict[str, Any]) -> SafeString:
    """Things as the content of a script element."""
    text = json.dumps({"@context": SCHEMA, "@graph": list(things)}, ensure_ascii=False, separators=(",", ":"))
    return mark_safe(text.translate(ESCAPES))  # nothing in it can end the element or begin another


def event(page: EventPage, sharing: Sharing, offers: Iterable[Offer], organisation_url: str) -> dict[str, Any]:
    """An event as its page tells it, with what can be bought now."""
    fact = page.event
    organiser = {"@type": "Organization", "name": fact.organisation.name, "url": organisation_url}
    address = {"@type": "PostalAddress", "streetAddress": fact.venue_address} if fact.venue_address else None
    return _without_nothing(
        {
            "@type": "Event",
            "@id": sharing.url,
            "url": sharing.url,
            "name": page.title,
            "description": sharing.description,
            "inLanguage": sharing.language,
            "image": [sharing.image] if sharing.image else None,
            "startDate": localtime(fact.starts_at, fact.zone).isoformat(timespec="seconds"),
            "endDate": localtime(fact.ends_at, fact.zone).isoformat(timespec="seconds"),
            "doorTime": localtime(fact.doors_at, fact.zone).isoformat(timespec="seconds") if fact.doors_at else None,
            "eventStatus": f"{SCHEMA}/{_status(fact)}",
            "previousStartDate": _local(fact, fact.moved_from) if fact.moved_from else None,
            "eventAttendanceMode": f"{SCHEMA}/OfflineEventAttendanceMode",
            "location": _without_nothing({"@type": "Place", "name": fact.venue, "address": address})
            if fact.venue
            else None,
            "organizer": organiser,
            "offers": [_offer(offer, sharing.url) for offer in offers],
        }
    )


def _status(fact: Event) -> str:
    """schema.org EventStatusType. One that is cancelled is not said to be moved besides."""
    if fact.cancelled_at is not None:
        return "EventCancelled"
    return "EventRescheduled" if fact.moved_from is not None else "EventScheduled"


def _local(fact: Event, moment: datetime) -> str:
    return localtime(moment, fact.zone).isoformat(timespec="seconds")


def _offer(offer: Offer, page_url: str) -> dict[str, Any]:
    whole_units, rest = divmod(offer.price_minor, 10**EXPONENT)
    return _without_nothing(
        {
            "@type": "Offer",
            "name": offer.name,
            "price": f"{whole_units}.{rest:0{EXPONENT}d}",
            "priceCurrency": offer.currency,
            "availability": f"{SCHEMA}/{offer.availability}",
            "validFrom": offer.opens_at.isoformat() if offer.opens_at else None,
            "validThrough": offer.closes_at.isoformat() if offer.closes_at else None,
            "url": whole(offer.url) if offer.url else page_url,
        }
    )


def organisation(page: OrganisationPage, sharing: Sharing) -> dict[str, Any]:
    """Who arranges."""
    fact = page.organisation
    return _without_nothing(
        {
            "@type": "Organization",
            "@id": sharing.url,
            "url": sharing.url,
            "name": fact.name,
            "legalName": fact.legal_name,
            "description": sharing.description,
            "image": sharing.image,
        }
    )


def trail(*steps: tuple[str, str]) -> dict[str, Any]:
    """The way from the list of events to the page, as (name, address)."""
    items = [
        {"@type": "ListItem", "position": place, "name": name, "item": url}
        for place, (name, url) in enumerate([(_("Events"), whole(reverse("event_list"))), *steps], 1)
    ]
    return {"@type": "BreadcrumbList", "itemListElement": items}


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}
