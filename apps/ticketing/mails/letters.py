"""What each mail says, read from the rows at the moment it is written, in the active language.

A writer returns None for a mail that has become pointless: paid meanwhile, seen on the page, or over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.utils.dateparse import parse_datetime
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events import wording
from apps.events.models import Event
from apps.events.translated import joined, pick, repeated
from apps.ticketing import (
    answers,
    checkout,
    clock,
    outbox,
    places,
    presence,
    pricing,
    reasons,
    sale_control,
    vat,
    way_back,
)
from apps.ticketing.fulfilment import CHANGE, DIFFERENCE
from apps.ticketing.mails.asking import ENDS_SOON
from apps.ticketing.mails.links import answers_url, desk_url, guest_url, order_url, payout_url, pdf_url, ticket_url
from apps.ticketing.models import (
    BY_HAND,
    ChoiceChange,
    Dispute,
    EventMove,
    MoveAnswer,
    Order,
    OrderLine,
    Payment,
    Refund,
    Ticket,
)
from apps.ticketing.states import (
    PAYMENT_LIVE,
    DisputeState,
    OrderState,
    PaymentState,
    RefundState,
    TicketState,
)

# A hold with less than this left is over before anybody has read of it.
TOO_LATE = timedelta(seconds=30)
LIVE = (TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED)

# What is written about an order that only pays for other choices of a ticket.
TOLD_OF_SUPPLEMENTS = (
    *("order_confirmation", "payment_failed", "payment_alert", "dispute_alert", "books_alert"),
    *("refund_ordered", "refund_failed", "refund_alert", "address_corrected"),
    *("transfer_instructions", "transfer_reminder", "transfer_short"),
)


@dataclass(frozen=True)
class Letter:
    """A mail ready to be rendered. `template` has an .html and a .txt, in ticketing/mails unless it names a folder.

    `with_tickets`: the tickets are attached as PDF when they can be had.
    """

    template: str
    subject: str
    context: dict[str, Any] = field(default_factory=dict)
    with_tickets: bool = False

    @property
    def path(self) -> str:
        return self.template if "/" in self.template else f"ticketing/mails/{self.template}"


@dataclass(frozen=True)
class Request:
    """What a writer is asked: the mail's payload, when it was asked for, and whether somebody wants it once more."""

    payload: dict[str, Any]
    since: datetime

    @property
    def is_again(self) -> bool:
        return bool(self.payload.get("again"))


Writer = Callable[[Order, Request], Letter | None]


@dataclass(frozen=True)
class Kind:
    """One kind of mail. `title` is how the desk calls it. A reminder may be missed: see `troubles`."""

    title: Promise
    write: Writer
    is_reminder: bool = False
    to_organiser: bool = False
    to_former: bool = False  # to the address its payload names: one the order had before, a holder's or a guest's


kinds: dict[str, Kind] = {}


def _letter(
    name: str, title: Promise, *, is_reminder: bool = False, to_organiser: bool = False, to_former: bool = False
) -> Callable[[Writer], Writer]:
    def register(writer: Writer) -> Writer:
        kinds[name] = Kind(title, writer, is_reminder, to_organiser, to_former)
        return writer

    return register


def register(name: str, title: Promise, writer: Writer, *, to_holder: bool = False) -> None:
    """Make a plugin's mail known: `name` as given to `ask`, what the desk calls it, and who writes it. With `to_holder`
    it goes to the address that its payload names as `to`, and to the buyer without. Raises ValueError when the name is
    taken."""
    if name in kinds and kinds[name].write is not writer:
        raise ValueError(f"The mail “{name}” is already taken.")
    kinds[name] = Kind(title, writer, to_former=to_holder)


def write(order: Order, payload: dict[str, Any], since: datetime) -> Letter | None:
    """The letter asked for at `since`, None when it has become pointless. Raises outbox.NotYet when it is too early."""
    if order.is_supplement and payload["name"] not in TOLD_OF_SUPPLEMENTS:
        return None  # the order of the ticket itself is told
    return kinds[payload["name"]].write(order, Request(payload, since))


def address_for(order: Order, name: str, payload: Mapping[str, Any]) -> str:
    """To whom the mail called `name` goes: the buyer, the organiser, or whom its payload names for an address the order
    has no more. Empty when there is nobody to write to."""
    if name in kinds and kinds[name].to_former:
        return str(payload.get("to", ""))
    return order.organisation.email if name in kinds and kinds[name].to_organiser else order.email


def title_of(name: str) -> str:
    """How the desk calls a mail; one whose plugin is gone keeps its bare name."""
    return str(kinds[name].title) if name in kinds else name


def opens_soon(event: Event, *, opens_at: datetime, page_url: str, withdraw_url: str) -> Letter:
    """The one mail before a sale opens, to somebody who asked for it and may never have bought anything."""
    return Letter(
        "opens_soon",
        _("Tickets to %(event)s soon") % {"event": event.title},
        {"opens_at": opens_at, "page_url": page_url, "withdraw_url": withdraw_url},
    )


@_letter("order_confirmation", gettext_lazy("Order confirmation"))
def _order_confirmation(order: Order, request: Request) -> Letter | None:
    if order.state != OrderState.PAID:
        return None
    lines = _lines(order)
    if order.is_for_gift:
        return _difference_paid(order, lines)
    if order.is_supplement:
        return _choices_changed(order, lines)
    own = Ticket.objects.filter(line__in=lines, line__owner_key="", state__in=LIVE)
    tickets = list(own.select_related("ticket_type"))
    places_of = {line.pk: line.position for line in lines}
    asks = sum(one.left for one in answers.asked(order.event_id, tickets))
    return Letter(
        "order_confirmation",
        _("Your tickets to %(event)s") % {"event": order.event.title},
        {
            "lines": [_line(line, order.currency) for line in lines],
            "not_given": pricing.told_of(lines),
            "paid_minor": sum(line.price_minor for line in lines),  # not for what has been refunded since
            "tickets": [
                {"ticket": ticket, "url": ticket_url(ticket)}
                for ticket in sorted(tickets, key=lambda ticket: (places_of[ticket.line_id], ticket.pk))
            ],
            "asks": asks,
            "answers_url": answers_url(order),
            "vat": _vat(lines),
            "pdf_url": pdf_url(order),
            "accepted_terms": checkout.accepted_terms(order),
        },
        with_tickets=True,
    )


def _choices_changed(order: Order, lines: list[OrderLine]) -> Letter | None:
    """The receipt of what was paid for other choices."""
    change = ChoiceChange.objects.filter(line__in=lines).select_related("of_line__order").first()
    if change is None:
        return None
    return Letter(
        "choices_changed",
        _("Your new choices for %(event)s") % {"event": order.event.title},
        {
            "lines": [_line(line, order.currency) for line in lines],
            "now": _line(OrderLine.objects.get(pk=change.of_line_id), order.currency)["parts"],
            "paid_minor": sum(line.price_minor for line in lines),
            "vat": _vat(lines),
            "tickets_url": order_url(change.of_line.order),
        },
    )


def _difference_paid(order: Order, lines: list[OrderLine]) -> Letter | None:
    """The receipt of what a recipient paid more; their ticket comes by a mail of its own. Where it was not to be had,
    the mail of what goes back says so."""
    change = ChoiceChange.objects.filter(line__in=lines, undone_at=None).select_related("gift__became").first()
    if change is None or change.gift is None:
        return None
    if change.made_at is None or change.gift.became is None:
        raise outbox.NotYet("the ticket that was paid for is being made")
    return Letter(
        "difference_paid",
        _("Your receipt: the difference for a ticket to %(event)s") % {"event": order.event.title},
        {
            "lines": [_line(line, order.currency) for line in lines],
            "paid_minor": sum(line.price_minor for line in lines),
            "vat": _vat(lines),
            "ticket_url": ticket_url(change.gift.became),
        },
    )


@_letter("guest_questions", gettext_lazy("To a guest: the organiser's questions"), to_former=True)
def _guest_questions(order: Order, request: Request) -> Letter | None:
    """To whom the buyer named: the link that opens the questions of one ticket and nothing else."""
    ticket = Ticket.objects.filter(pk=request.payload["ticket"], line__order=order, state__in=LIVE).first()
    if ticket is None or order.state != OrderState.PAID:
        return None
    return Letter(
        "guest_questions",
        _("Questions before %(event)s") % {"event": order.event.title},
        {"questions_url": guest_url(ticket), "buyer": order.name, "order_url": ""},
    )


@_letter("order_link", gettext_lazy("Link to the order"))
def _order_link(order: Order, request: Request) -> Letter | None:
    if order.state == OrderState.PAID:
        return None  # the tickets are sent instead
    return Letter("order_link", _("Your order to %(event)s") % {"event": order.event.title})


@_letter("address_corrected", gettext_lazy("To the former address: it was corrected"), to_former=True)
def _address_corrected(order: Order, request: Request) -> Letter | None:
    subject = _("Your address was taken off an order for %(event)s") % {"event": order.event.title}
    return Letter("address_corrected", subject)


@_letter("your_turn", gettext_lazy("Your turn"), is_reminder=True)
def _your_turn(order: Order, request: Request) -> Letter | None:
    if order.state not in (OrderState.RESERVED, OrderState.OFFERED) or not _time_left(order):
        return None
    if order.terms_version or order.payments.exists() or (not request.is_again and presence.has_seen(order)):
        return None  # at the checkout, or on the page
    lines = _lines(order)
    wanted = OrderLine.objects.filter(order=order, is_wanted=True).count()
    subject = (
        _("You got %(got)d of %(wanted)d tickets to %(event)s") if len(lines) < wanted else _("Your turn: %(event)s")
    )
    return Letter(
        "your_turn",
        subject % {"got": len(lines), "wanted": wanted, "event": order.event.title},
        {
            "lines": [_line(line, order.currency) for line in lines],
            "not_given": pricing.told_of(lines),
            "got": len(lines),
            "wanted": wanted,
            "opens_at": order.pays_from if order.pays_from and order.pays_from > clock.now() else None,
        },
    )


@_letter("place_is_kept", gettext_lazy("The place in line"), is_reminder=True)
def _place_is_kept(order: Order, request: Request) -> Letter | None:
    if order.state not in places.CLAIMABLE:
        return None
    return Letter(
        "place_is_kept",
        _("Your place in the queue for %(event)s") % {"event": order.event.title},
        {"claim_url": places.claim_url(order), "is_draw": order.rank is None},
    )


@_letter("hold_ends_soon", gettext_lazy("The hold ends soon"), is_reminder=True)
def _hold_ends_soon(order: Order, request: Request) -> Letter | None:
    left = _time_left(order)
    if order.state != OrderState.RESERVED or not left:
        return None
    if order.payments.filter(state__in=[PaymentState.PROCESSING, PaymentState.UNKNOWN]).exists():
        return None  # the bank has it: nobody shall pay again
    if transfer_of(order) is not None:
        return None  # they have days, and a reminder of its own
    if not request.is_again:
        if left > ENDS_SOON + TOO_LATE:
            raise outbox.NotYet("the hold was extended", seconds=int((left - ENDS_SOON).total_seconds()))
        if presence.has_seen(order):
            return None
    return Letter("hold_ends_soon", *_about_the_place(order, _("Your place at %(event)s is yours until %(until)s")))


@_letter("payment_failed", gettext_lazy("Payment failed"), is_reminder=True)
def _payment_failed(order: Order, request: Request) -> Letter | None:
    payment = Payment.objects.get(pk=request.payload["payment"])
    if order.state != OrderState.RESERVED or payment.state != PaymentState.FAILED or not _time_left(order):
        return None
    if Payment.objects.filter(order=order, pk__gt=payment.pk).exists():
        return None  # they try again already
    if not request.is_again and presence.seen_since(order, request.since):
        return None  # they came back and read it
    return Letter("payment_failed", *_about_the_place(order, _("The payment for %(event)s did not go through")))


def transfer_of(order: Order) -> Payment | None:
    """The order's open payment, where its buyer sends the money themselves."""
    return order.payments.filter(state__in=PAYMENT_LIVE, provider__startswith=BY_HAND).first()


def _time_left(order: Order) -> timedelta | None:
    """How long the order's hold runs, None when it is over or as good as over.

    Raises outbox.NotYet while the sale stands still: until when the place is held is not known before it goes on.
    """
    at = clock.now()
    if sale_control.state_of(order.event_id).stands_still(at):
        raise outbox.NotYet("the sale stands still", seconds=60)
    left = order.reserved_until - at if order.reserved_until else None
    return left if left is not None and left > TOO_LATE else None


def _about_the_place(order: Order, subject: str) -> tuple[str, dict[str, Any]]:
    lines = _lines(order)
    until = wording.write_clock_time(order.reserved_until, order.event.zone) if order.reserved_until else ""
    return (
        subject % {"event": order.event.title, "until": until},
        {
            "lines": [_line(line, order.currency) for line in lines],
            "not_given": pricing.told_of(lines),
            "until": until,
            "places": len(lines),
        },
    )


@_letter("hold_expired", gettext_lazy("The hold is over"), is_reminder=True)
def _hold_expired(order: Order, request: Request) -> Letter | None:
    if order.state != OrderState.EXPIRED:
        return None
    newest = order.payments.order_by("pk").last()
    sent_it = newest is not None and newest.is_by_hand
    return Letter(
        "transfer_expired" if sent_it else "hold_expired",
        _("Your place at %(event)s moved on") % {"event": order.event.title},
    )


def _is_of_difference(order: Order, refund: Refund) -> bool:
    """Whether what somebody paid to be given a ticket goes back, and not because that ticket has ended."""
    return order.is_for_gift and refund.reason in (*reasons.GIFT_NOT_BOUGHT, reasons.EVENT_CANCELLED)


def _given_up(order: Order, lines: QuerySet[OrderLine], *, fee_minor: int) -> list[dict[str, Any]]:
    """The tickets that have ended, what each cost, and what is kept of that."""
    rows = [_refunded(line, order.currency) for line in lines.order_by("position")]
    if fee_minor and rows:
        rows.append({"name": _("Fee that is kept"), "parts": "", "price_minor": -fee_minor})
    return rows


@_letter("refund_ordered", gettext_lazy("Refund on its way"))
def _refund_ordered(order: Order, request: Request) -> Letter | None:
    refund = Refund.objects.get(pk=request.payload["refund"])
    is_told = refund.reason == reasons.EVENT_CANCELLED and refund.retry_of_id is None and not order.is_supplement
    if refund.state == RefundState.FAILED or is_told:
        return None  # by a mail of its own
    amount = wording.write_money(refund.amount_minor, refund.currency)
    tells_why = refund.is_partial or not refund.lines.exists() or _is_of_difference(order, refund)
    lines = [] if tells_why else _given_up(order, refund.lines.all(), fee_minor=refund.fee_minor)
    return Letter(
        "refund_ordered",
        _("%(amount)s is on its way back to you") % {"amount": amount},
        {
            "refund": refund,
            "why": reasons.sentence(refund.reason) if tells_why else "",
            "lines": lines,
            "keeps_tickets": order.state == OrderState.PAID,
        },
    )


@_letter("tickets_ended", gettext_lazy("Tickets ended, no money goes back"))
def _tickets_ended(order: Order, request: Request) -> Letter | None:
    lines = OrderLine.objects.filter(order=order, pk__in=request.payload["lines"])
    came_back = lines.aggregate(minor=Sum("given_back_minor", default=0))["minor"]
    return Letter(
        "tickets_ended",
        _("Your tickets to %(event)s have ended") % {"event": order.event.title},
        {
            "lines": _given_up(order, lines, fee_minor=request.payload["fee_minor"]),
            "fee_minor": request.payload["fee_minor"],
            "came_back_minor": came_back,
            "keeps_others": order.state == OrderState.PAID,
        },
    )


@_letter("refund_sent", gettext_lazy("Refund sent"))
def _refund_sent(order: Order, request: Request) -> Letter | None:
    refund = Refund.objects.select_related("payment").get(pk=request.payload["refund"])
    if refund.state != RefundState.DONE:
        return None
    amount = wording.write_money(refund.amount_minor, refund.currency)
    subject = _("%(amount)s has been sent to you: %(event)s") % {"amount": amount, "event": order.event.title}
    return Letter("refund_sent", subject, {"refund": refund})


@_letter("refund_failed", gettext_lazy("Refund failed"))
def _refund_failed(order: Order, request: Request) -> Letter | None:
    refund = Refund.objects.get(pk=request.payload["refund"])
    if refund.state != RefundState.FAILED:
        return None
    amount = wording.write_money(refund.owed_minor, refund.currency)
    subject = _("%(amount)s did not reach you") % {"amount": amount}
    return Letter("refund_failed", subject, {"refund": refund, "payout_url": payout_url(order, refund)})


@_letter("event_cancelled", gettext_lazy("The event is cancelled"))
def _event_cancelled(order: Order, request: Request) -> Letter | None:
    had_tickets = order.state in (OrderState.PAID, OrderState.REFUNDED)
    is_closed = order.state in (OrderState.REJECTED, OrderState.CANCELLED)
    if order.state == OrderState.EXPIRED or (is_closed and order.reason != reasons.EVENT_CANCELLED):
        return None  # over before, for another reason
    off_at, nothing = order.event.cancelled_at, not request.payload["amount_minor"]
    if off_at and nothing and order.total_minor and order.paid_at and order.paid_at > off_at:
        return None  # paid since: a mail of its own tells what goes back
    payments = Payment.objects.filter(order=order, state=PaymentState.CAPTURED, reason="")
    disputes = Dispute.objects.filter(payment__in=payments)
    return Letter(
        "event_cancelled",
        _("%(event)s is cancelled") % {"event": order.event.title},
        {
            "amount_minor": request.payload["amount_minor"],
            "had_tickets": had_tickets,
            "way": way_back.of_order(order),
            "is_disputed": disputes.filter(state=DisputeState.OPENED).exists(),
            "was_lost": disputes.filter(state=DisputeState.LOST).exists(),
        },
    )


@_letter("event_moved", gettext_lazy("The event is moved"))
def _event_moved(order: Order, request: Request) -> Letter | None:
    return _about_the_move(order, request, _("%(event)s is moved: does it suit you?"))


@_letter("move_reminder", gettext_lazy("Reminder of a move"), is_reminder=True)
def _move_reminder(order: Order, request: Request) -> Letter | None:
    if not request.is_again and MoveAnswer.objects.filter(move=request.payload["move"], order=order).exists():
        return None
    return _about_the_move(order, request, _("%(event)s is moved: time to choose is soon over"))


def _about_the_move(order: Order, request: Request, subject: str) -> Letter | None:
    move = EventMove.objects.get(pk=request.payload["move"])
    changes = told_changes(order.event, move.was)
    if order.state != OrderState.PAID or order.event.cancelled_at or move.answer_by <= clock.now() or not changes:
        return None
    if EventMove.objects.filter(event=order.event_id, pk__gt=move.pk).exists():
        return None  # told by the mail of the newer one
    return Letter(
        request.payload["name"],
        subject % {"event": order.event.title},
        {"changes": changes, "say": move.say, "answer_by": move.answer_by},
    )


@_letter("payment_alert", gettext_lazy("To the organiser: payment sent back"), to_organiser=True)
def _payment_alert(order: Order, request: Request) -> Letter | None:
    payment = Payment.objects.get(pk=request.payload["payment"])
    return Letter(
        "payment_alert",
        _("A payment for order %(reference)s was sent back") % {"reference": order.reference},
        {"payment": payment, "why": reasons.sentence(payment.reason), "desk_url": desk_url(order)},
    )


@_letter("refund_alert", gettext_lazy("To the organiser: refund failed"), to_organiser=True)
def _refund_alert(order: Order, request: Request) -> Letter | None:
    refund = Refund.objects.get(pk=request.payload["refund"])
    if refund.state != RefundState.FAILED:
        return None
    return Letter(
        "refund_alert",
        _("A refund for order %(reference)s failed") % {"reference": order.reference},
        {"refund": refund, "desk_url": desk_url(order)},
    )


@_letter("books_alert", gettext_lazy("To the organiser: the books differ"), to_organiser=True)
def _books_alert(order: Order, request: Request) -> Letter | None:
    return Letter(
        "books_alert",
        _("Order %(reference)s: our books and the payment provider's differ") % {"reference": order.reference},
        {**request.payload, "desk_url": desk_url(order)},
    )


@_letter("dispute_alert", gettext_lazy("To the organiser: payment disputed"), to_organiser=True)
def _dispute_alert(order: Order, request: Request) -> Letter | None:
    dispute = Dispute.objects.select_related("payment").get(pk=request.payload["dispute"])
    subject = {
        DisputeState.OPENED: _("The payment of order %(reference)s is disputed"),
        DisputeState.WON: _("The dispute about order %(reference)s was decided for you"),
        DisputeState.LOST: _("The dispute about order %(reference)s was decided for the payer"),
    }[DisputeState(request.payload["state"])]
    return Letter(
        "dispute_alert",
        subject % {"reference": order.reference},
        {"dispute": dispute, "told": request.payload["state"], "desk_url": desk_url(order)},
    )


def _lines(order: Order) -> list[OrderLine]:
    return list(
        OrderLine.objects.filter(order=order, is_held=True)
        .select_related("ticket_type")
        .prefetch_related("choices__choice", "adjustments")
        .order_by("position")
    )


def _line(line: OrderLine, currency: str) -> dict[str, Any]:
    """A price line: what, the choices and adjustments that made its price, and the price."""
    what = line.ticket_type.name
    if line.fulfilment == CHANGE:
        what = _("Other choices: %(ticket)s") % {"ticket": what}
    elif line.fulfilment == DIFFERENCE:
        what = _("The difference: %(ticket)s") % {"ticket": what}
    parts = []
    for chosen in line.choices.all():
        name = repeated(chosen.choice.name, chosen.quantity)
        delta = chosen.delta_minor * chosen.quantity
        parts.append(f"{name} {wording.write_delta(delta, currency)}" if delta else name)
    parts += [
        f"{adjustment.label} {wording.write_delta(adjustment.amount_minor, currency)}"
        for adjustment in line.adjustments.all()
    ]
    return {"name": what, "parts": joined(parts), "price_minor": line.price_minor}


def _refunded(line: OrderLine, currency: str) -> dict[str, Any]:
    """A line of a refund: what was left of its price when it ended."""
    return {**_line(line, currency), "price_minor": line.kept_minor}


def _vat(lines: list[OrderLine]) -> list[dict[str, Any]]:
    """Net, VAT and gross per rate in minor units, as a receipt needs them; without rates that nothing was paid at, and
    none at all where no VAT is paid."""
    parts = vat.per_rate(part for line in lines for part in line.vat_parts)
    if not any(parts):
        return []
    return [
        {"percent": _percent(rate), "net_minor": gross - inside, "vat_minor": inside, "gross_minor": gross}
        for rate, (gross, inside) in parts.items()
        if gross
    ]


def _percent(rate: Decimal) -> str:
    return number_format(rate, decimal_pos=0 if rate == int(rate) else 2)


def told_changes(event: Event, was: dict[str, Any]) -> list[dict[str, str]]:
    """What is different from what it was, in words; a fact that was changed back is not told."""
    then: dict[str, Any] = {
        name: parse_datetime(value) if name.endswith("_at") and value else value for name, value in was.items()
    }
    told = []
    if any(name in then for name in ("title_sv", "title_en")):
        old = pick(then.get("title_sv", event.title_sv), then.get("title_en", event.title_en))
        told.append((_("Name"), old, event.title))
    for name, label in (("doors_at", _("Doors")), ("starts_at", _("Starts")), ("ends_at", _("Ends"))):
        if name in then:
            told.append((label, _moment(then[name], event), _moment(getattr(event, name), event)))
    for name, label in (("venue", _("Place")), ("venue_address", _("Address"))):
        if name in then:
            told.append((label, then[name], getattr(event, name)))
    return [
        {"what": label, "was": old or _("not said"), "now": new or _("not said")}
        for label, old, new in told
        if old != new
    ]


def _moment(value: datetime | None, event: Event) -> str:
    if value is None:
        return ""
    return f"{wording.write_long_day(value, event.zone)} {wording.write_clock_time(value, event.zone)}"
