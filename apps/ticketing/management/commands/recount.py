"""`manage.py recount`: count every quota of every event anew, and set right a counter that has drifted."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.events.models import Event
from apps.ticketing import reservations


class Command(BaseCommand):
    help = (
        "Recount what is taken of every quota and correct what differs; exit with 1 where more is held than there is."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        corrected, impossible = 0, []
        for event in Event.objects.filter(quotas__isnull=False).distinct().order_by("pk"):
            try:
                drift = reservations.recount(event.pk)
            except reservations.MoreHeldThanPlaces as error:
                impossible.append(_tell(event, error))  # the other events are set right all the same
                continue
            for quota in event.quotas.filter(pk__in=drift).order_by("pk"):
                self.stdout.write(f"{event}, {quota.name}: corrected by {drift[quota.pk]:+d} to {quota.taken}")
            corrected += len(drift)
        self.stdout.write(f"{corrected} {'counter' if corrected == 1 else 'counters'} corrected.")
        if impossible:
            raise CommandError("\n".join(impossible))


def _tell(event: Event, error: reservations.MoreHeldThanPlaces) -> str:
    quota = error.quota
    aside = f" and {quota.set_aside} set aside" if quota.set_aside else ""
    return (
        f"{event}, {quota.name}: {error.held} places are sold or held{aside}, but there are {quota.size}. Nothing of"
        f" this event was changed. Raise the quota to {error.held + quota.set_aside} or refund tickets, then run this"
        " again."
    )
