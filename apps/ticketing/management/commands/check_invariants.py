"""`manage.py check_invariants`: is every promise kept right now? Exit code 1 when one is broken."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from apps.ticketing import invariants


class Command(BaseCommand):
    help = "Check every promise on stock, money and tickets; exit with 1 when one is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        found = invariants.check()
        for violation in found:
            self.stderr.write(f"BROKEN  {violation}")
        if found:
            sys.exit(1)
        self.stdout.write(f"All {len(invariants.PROMISES)} promises are kept.")
