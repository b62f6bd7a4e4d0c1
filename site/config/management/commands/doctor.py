"""`manage.py doctor`: is everything here that Foyer needs? One line each; exit code 1 when something fails."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config.doctor import FAIL, OK, WARN, examine


class Command(BaseCommand):
    help = "Examine database, Redis, workers, cron, mail, clock, keys, payments, storage, outbox and promises."
    requires_system_checks: list[str] = []  # it examines what they would stop at

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        style = {OK: self.style.SUCCESS, WARN: self.style.WARNING, FAIL: self.style.ERROR}
        for finding in findings:
            self.stdout.write(f"{style[finding.level](finding.level.ljust(4))}  {finding.subject}: {finding.what}")
            if finding.remedy:
                self.stdout.write(f"      {finding.remedy}")
        if any(finding.level == FAIL for finding in findings):
            sys.exit(1)
