"""`manage.py reconcile`: compare the books with what the payment providers say, to the unit.

Books the providers' fees by the way. Exits 1 when anything differs or an account is not shown to us (any
more), 2 when a provider gave no answer.

    manage.py reconcile                    every organisation, the last seven days
    manage.py reconcile --organisation lyktan --days 90
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.events import wording
from apps.events.models import Organisation
from apps.ticketing import clock, reconciliation

HEAD = ("organisation", "provider", "order", "what", "our books", "the provider", "since", "what is wrong")


class Command(BaseCommand):
    help = "Compare the books with what the payment providers say; exits 1 on any difference, or what cannot be seen."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", help="the short name of one organisation; otherwise all")
        parser.add_argument("--days", type=int, default=reconciliation.SINCE.days, help="how far back (7)")

    def handle(self, *args: Any, **options: Any) -> None:
        organisations = Organisation.objects.all()
        if options["organisation"]:
            organisations = organisations.filter(slug=options["organisation"])
            if not organisations:
                raise CommandError(f"There is no organisation called {options['organisation']!r}.")
        if not 0 < options["days"] <= 3660:
            raise CommandError("Look back at least one day, and ten years at most.")
        outcome = reconciliation.compare(organisations, clock.now() - timedelta(days=options["days"]))
        if outcome.differences:
            self._table([self._row(one) for one in outcome.differences])
        self.stdout.write(
            f"{outcome.compared} movements agree, {len(outcome.differences)} differ;"
            f" {outcome.fees_booked} provider fees booked."
        )
        for account in outcome.unasked:
            self.stderr.write(f"No answer from {account}: not compared.")
        for account in outcome.refused:
            self.stderr.write(f"{account} is not shown to us (any more): not compared. Look there by hand.")
        if outcome.differences or outcome.refused:
            sys.exit(1)
        if outcome.unasked:
            sys.exit(2)

    @staticmethod
    def _row(one: reconciliation.Difference) -> tuple[str, ...]:
        return (
            one.organisation,
            one.provider,
            one.order.reference if one.order else "-",
            one.what,
            wording.write_money(one.ours_minor, one.currency) if one.ours_minor else "-",
            wording.write_money(one.theirs_minor, one.currency) if one.theirs_minor else "-",
            f"{one.at:%Y-%m-%d %H:%M}",
            str(one.wrong.label),
        )

    def _table(self, rows: list[tuple[str, ...]]) -> None:
        widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD))]
        for row in (HEAD, *rows):
            self.stdout.write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
