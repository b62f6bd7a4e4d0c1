"""`manage.py sandbox_dispute REFERENCE`: somebody disputes what they paid in the sandbox bank, or the bank decides.

make manage ARGS='sandbox_dispute K7M2PQ4X'          the payer disputes it
make manage ARGS='sandbox_dispute K7M2PQ4X --won'    decided for the organiser; --lost: for the payer
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.ticketing.extensions import payment_providers
from apps.ticketing.models import Payment
from apps.ticketing.payments import sandbox
from apps.ticketing.states import DisputeState, PaymentState


class Command(BaseCommand):
    help = "Dispute a payment made in the sandbox bank, or decide its dispute."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", help="the order's eight characters")
        decided = parser.add_mutually_exclusive_group()
        decided.add_argument("--won", action="store_true", help="the bank decides for the organiser")
        decided.add_argument("--lost", action="store_true", help="the bank decides for the payer")

    def handle(self, *args: Any, **options: Any) -> None:
        if sandbox.Sandbox.slug not in payment_providers:
            raise CommandError("The sandbox bank is not switched on here.")
        reference = options["reference"].strip().upper()
        payment = Payment.objects.filter(
            order__reference=reference, provider=sandbox.Sandbox.slug, state=PaymentState.CAPTURED
        ).first()
        if payment is None:
            raise CommandError(f"Order {reference} was not paid in the sandbox bank.")
        state = DisputeState.OPENED
        if options["won"] or options["lost"]:
            state = DisputeState.WON if options["won"] else DisputeState.LOST
        try:
            sandbox.dispute(UUID(payment.provider_reference), state)
        except sandbox.CannotDispute as refusal:
            raise CommandError(
                f"That cannot be done now: {refusal or 'it is not disputed'}. First it is disputed, then decided, once."
            ) from refusal
        self.stdout.write(f"Order {reference}: {state.value}. The notice is on its way.")
