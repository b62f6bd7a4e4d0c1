"""What happens (Organisation, Event), how it is told (pages), and what stands at the foot of every page (legal)."""

from apps.events.models.facts import Event, Organisation
from apps.events.models.legal import LegalKind, LegalText, LegalVersion
from apps.events.models.pages import EventPage, HomePage, OrganisationPage, PlainPage

__all__ = [
    "Event",
    "EventPage",
    "HomePage",
    "LegalKind",
    "LegalText",
    "LegalVersion",
    "Organisation",
    "OrganisationPage",
    "PlainPage",
]
