"""`manage.py doctor`: is everything here that Foyer needs? One line each; exit code 1 when something fails."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.doctor import FAIL, OK, WARN, examine


class Command(BaseCommand):
    help = (
        "Examine database, Redis, workers, cron, mail, clock, keys, payments, logins, storage, outbox and promises;"
        " with"
        " --stripe, what Stripe says of the keys, the account, the notices and the ways to pay."
    )
    requires_system_checks: list[str] = []  # it examines what they would stop at

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stripe", action="store_true", help="ask Stripe instead of looking at this installation")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stripe"]:
            from config import doctor_stripe  # the library is large: only when it is asked for

            findings = doctor_stripe.examine()
        else:
            findings = examine()
        style = {OK: self.style.SUCCESS, WARN: self.style.WARNING, FAIL: self.style.ERROR}
        for finding in findings:
            self.stdout.write(f"{style[finding.level](finding.level.ljust(4))}  {finding.subject}: {finding.what}")
            if finding.remedy:
                self.stdout.write(f"      {finding.remedy}")
        if options["stripe"]:
            self.stdout.write("What only a browser, a phone and a bank can show is listed in docs/stripe.md.")
        if any(finding.level == FAIL for finding in findings):
            sys.exit(1)
