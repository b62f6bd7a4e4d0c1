"""One part for each question Foyer asks: the smallest that could be of use to somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from apps.accounts.models import User
from apps.events.extensions import Offer, Problem
from apps.events.models import Event
from apps.ticketing import reasons, tickets
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import (
    NO_OPINION,
    BadNotice,
    EventTemplate,
    NamedAdjustment,
    Notice,
    Opinion,
    Started,
    TicketSketch,
    Words,
    deny,
)
from apps.ticketing.models import OrderLine, Payment, Refund, Ticket

NOT_OUR_GUEST = reasons.register(
    "specimen_not_our_guest",
    _("This evening is for invited guests. No money was taken. Ask the host for an invitation."),
)


class EarlyBird:
    """A price rule: 20 kr less until a month before the event, borne by the organiser."""

    slug = "specimen_early_bird"

    def __init__(self) -> None:
        self.claimed: list[int] = []
        self.released: list[int] = []

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> dict[int, datetime]:
        events = {context.event_id for context in contexts}
        return {
            pk: starts_at - timedelta(days=20)
            for pk, starts_at in Event.objects.filter(pk__in=events).values_list("pk", "starts_at")
        }

    def adjustments(
        self, context: PurchaseContext, line: ContextLine, answers: dict[int, datetime]
    ) -> Sequence[NamedAdjustment]:
        if context.at >= answers[context.event_id]:
            return []
        return [NamedAdjustment(self.slug, "Tidig fågel", "Early bird", -2_000)]

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
        self.claimed += order_lines

    def release(self, order_line_ids: Sequence[int]) -> None:
        self.released += order_line_ids

    def reprice(self, ticket: Ticket, context: PurchaseContext, answers: Any) -> Sequence[NamedAdjustment]:
        return []


class NoStrangers:
    """A gate: nobody with an address at one domain may buy."""

    slug = "specimen_no_strangers"
    domain = "@strangers.example"

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> None:
        return None

    def opinion(self, context: PurchaseContext, line: ContextLine, answers: None) -> Opinion:
        return deny(NOT_OUR_GUEST) if context.email.lower().endswith(self.domain) else NO_OPINION


class Stranger:
    """A preview person: somebody whom the gate keeps out."""

    slug = "specimen_stranger"
    label = "A stranger"

    def dress(self, context: PurchaseContext) -> PurchaseContext:
        return replace(context, email="somebody@strangers.example")


class VoucherDesk:
    """A payment provider without a network: whoever comes to the desk has paid."""

    slug = "specimen_vouchers"
    label = _("Voucher")
    starts_per_second: float | None = None

    def __init__(self) -> None:
        self.refunded: dict[str, int] = {}

    def is_available(self, currency: str) -> bool:
        return currency == "SEK"

    def start(self, payment: Payment, *, key: str, return_url: str) -> Started:
        return Started(reference=f"voucher-{payment.public_id}", state="processing")

    def read_notice(self, request: HttpRequest) -> Notice:
        if request.headers.get("X-Desk") != "let me in":
            raise BadNotice("not from the desk")
        return self._notice(Payment.objects.get(public_id=request.body.decode()))

    def fetch(self, payment: Payment) -> Notice:
        return self._notice(payment)

    def cancel(self, payment: Payment, *, key: str) -> Notice:
        return self._notice(payment, state="cancelled")

    def refund(self, refund: Refund, *, key: str) -> Notice:
        self.refunded.setdefault(key, refund.amount_minor)
        return Notice("", "refund", key, "done", refund.amount_minor, refund.currency, our_id=str(refund.public_id))

    def _notice(self, payment: Payment, state: str = "captured") -> Notice:
        return Notice(
            event_id=f"desk-{payment.public_id}",
            kind="payment",
            reference=payment.provider_reference,
            state=state,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            our_id=str(payment.public_id),
        )


class Cloakroom:
    """A fulfilment: hooks in a cloakroom, each once. `subject` is the number of the hook; no quota is touched."""

    slug = "specimen_hook"
    takes_stock = False
    once_taken = reasons.SOLD_OUT

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        return {line.pk: reasons.SOLD_OUT for line in lines if line.subject in self.held}

    def reserve(self, lines: Sequence[OrderLine]) -> None:
        self.held.update({line.subject: line.pk for line in lines})

    def fulfil(self, lines: Sequence[OrderLine]) -> Sequence[Ticket]:
        return tickets.issue(lines)

    def release(self, lines: Sequence[OrderLine]) -> None:
        for line in lines:
            if self.held.get(line.subject) == line.pk:
                del self.held[line.subject]


class CloakroomOffer:
    """An offering: every event has a cloakroom for 30 kr, and no page may be published without a venue for it."""

    slug = "specimen_cloakroom"

    def offers(self, events: Sequence[Event], at: datetime) -> dict[int, list[Offer]]:
        return {event.pk: [Offer("Cloakroom", 3_000, "SEK", "InStock", None, None, "#cloakroom")] for event in events}

    def publish_problems(self, event: Event, public_at: datetime) -> list[Problem]:
        return [] if event.venue else [Problem("There is no venue to hang coats in.")]


class CloakroomPanel:
    """A panel on My pages."""

    slug = "specimen_cloakroom"
    heading = _("Cloakroom")

    def render(self, request: HttpRequest, user: User) -> str:
        return format_html("<p>Hook 7 is kept for {}.</p>", user.get_full_name())


class CloakroomData:
    """Personal data: whose coat hangs where."""

    slug = "specimen_cloakroom"

    def __init__(self) -> None:
        self.coats: dict[int, str] = {}

    def export(self, user: User) -> dict[str, Any]:
        return {"coat": self.coats.get(user.pk, "")}

    def erase(self, user: User) -> None:
        self.coats.pop(user.pk, None)


class Wristband:
    """A credential reader: a wristband's text is `BAND:` and the ticket's short code."""

    slug = "specimen_wristband"

    def read(self, text: str, event: Event) -> UUID | None:
        if not text.startswith("BAND:"):
            return None
        return Ticket.objects.filter(event=event, short_code=text[5:]).values_list("public_id", flat=True).first()


class NoteBlock(blocks.StructBlock):
    """An event block: a note pinned to the page."""

    text = blocks.CharBlock()

    def render(self, value: Any, context: Any = None) -> str:
        return format_html('<p class="specimen-note">{}</p>', value["text"])

    class Meta:
        icon = "form"
        label = "Note"


# An event template: a quiz night, where teams of six buy one ticket.
QUIZ = EventTemplate(
    slug="specimen_quiz",
    name=_("Quiz night"),
    says=_("Teams of six at a table: one ticket for each team."),
    icon="help",
    hours=3,
    tickets=(TicketSketch("team", Words("Lag", "Team"), max_per_order=1),),
    text=Words("Sex personer, fem omgångar, en vinnare.", "Six people, five rounds, one winner."),
)
