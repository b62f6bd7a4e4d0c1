"""`manage.py sandbox show|take-out|top-up <organisation> [amount]`: an organisation's money at the sandbox bank.

A real provider pays out what came in, so that it may lack when an event is cancelled. With this one can see what
happens then. Amounts are in kronor. The sandbox is there in demos and tests alone.
"""

from __future__ import annotations

from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models import F

from apps.events.models import Organisation
from apps.events.wording import EXPONENT, write_money
from apps.ticketing.models import SandboxAccount
from apps.ticketing.payments.sandbox import Sandbox


class Command(BaseCommand):
    help = "Take an organisation's money out of the sandbox bank, or put some back; never in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["show", "take-out", "top-up"])
        parser.add_argument("organisation", help="its short name in addresses")
        parser.add_argument("amount", nargs="?", default="0")
        parser.add_argument("--currency", default="SEK")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("The sandbox bank is for demos.")
        organisation = Organisation.objects.filter(slug=options["organisation"]).first()
        if organisation is None:
            raise CommandError(f"There is no organisation called {options['organisation']}.")
        currency = options["currency"]
        try:
            minor = int(Decimal(options["amount"]).scaleb(EXPONENT))
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise CommandError("Write the amount as a number of kronor, such as 500.") from error
        if options["verb"] != "show":
            SandboxAccount.objects.get_or_create(organisation=organisation, currency=currency)
            change = minor if options["verb"] == "take-out" else -minor
            SandboxAccount.objects.filter(organisation=organisation, currency=currency).update(
                taken_out_minor=F("taken_out_minor") + change
            )
        ready = Sandbox().balance(organisation, currency) or 0
        self.stdout.write(f"{organisation}: {write_money(ready, currency)} lies ready at the sandbox bank.")
