"""What happens (Organisation, Event) and how it is told (pages)."""

from apps.events.models.facts import Event, Organisation
from apps.events.models.pages import EventPage, HomePage, OrganisationPage, PlainPage

__all__ = ["Event", "EventPage", "HomePage", "Organisation", "OrganisationPage", "PlainPage"]
