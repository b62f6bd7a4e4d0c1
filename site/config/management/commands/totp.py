"""`manage.py totp <e-mail>`: the code that a person's app would show now, for a demo without a phone at hand.

Refused in production, where only the person's own phone may know. A code opens one thing once, so a second call within
the same half minute gives the next one.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.accounts.second_step import LAST_STEP, STEP_SECONDS, code_at


class Command(BaseCommand):
    help = "The code that somebody's app would show now; never in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("Codes are for their owners' phones alone; this command is for demos.")
        kept = Authenticator.objects.filter(user__email__iexact=options["email"], type=Authenticator.Type.TOTP).first()
        if kept is None:
            raise CommandError(f"{options['email']} has no second step.")
        present = int(time.time()) // STEP_SECONDS
        step = max(present, kept.data.get(LAST_STEP, 0) + 1)
        if step > present + 1:
            raise CommandError("The codes of this minute are used up. Ask again in half a minute.")
        self.stdout.write(code_at(decrypt(kept.data["secret"]), step))
