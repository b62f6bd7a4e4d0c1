"""`manage.py rotate_ticket_key`: sign ticket codes with a new key from now on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.ticketing import credentials


class Command(BaseCommand):
    help = "Make a new key that signs ticket codes. Codes shown or printed before stay valid."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--retire-older",
            action="store_true",
            help="A key has leaked: codes signed by older keys stop working, and holders open their ticket page anew.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = credentials.rotate(retire_older=options["retire_older"])
        except credentials.NoKeyIdLeft as error:
            raise CommandError("All 255 key ids are used. Ticket codes need a new format version.") from error
        self.stdout.write(f"Key {key.key_id} signs from now on; every process notices within 30 seconds.")
