"""A ticket given to somebody else: its holder offers it, the recipient accepts, and the place is theirs.

Until then the ticket is its giver's, who may use it, sell it or take the offer back. Accepting is one transaction: the
old ticket and its code end, and the recipient's is issued for the same order line, so that what was paid stays where it
was and would go back to whoever paid. The door, a buyer and the recipient move one row: exactly one of them wins.

It is called a gift throughout, because a transfer is money on its way (see `transfers`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Lower
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.plain_text import one_line
from apps.accounts.prepared import Rows
from apps.events.models import Event
from apps.events.wording import write_money
from apps.ticketing import (
    answers,
    catalogue,
    changes,
    clock,
    event_lock,
    gift_terms,
    guest_tickets,
    holders,
    mails,
    ordering,
    outbox,
    reasons,
    refunds,
    reservations,
    signals,
    tickets,
)
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.models import ChoiceChange, Gift, GivingRule, LineChoice, Order, OrderLine, Ticket
from apps.ticketing.retries import once_more
from apps.ticketing.states import GiftState, OrderState, TicketState
from apps.ticketing.transitions import StaleState, move_many

log = logging.getLogger(__name__)

LET_GO = "gift.let_go"
DAYS_TO_ANSWER = 7
LONGEST_NAME, LONGEST_EMAIL, LONGEST_NOTE = 120, 254, 300
MOST_OFFERS = 10  # of one ticket; each is a mail to whomever its holder names
ENDED_AT_ONCE = 500
# How a ticket stopped being its holder's to give, by the state it has now.
ENDED_BY: Mapping[str, str] = {
    TicketState.USED: reasons.GIFT_USED,
    TicketState.HELD: reasons.GIFT_BEING_SOLD,
    TicketState.SUPERSEDED: reasons.GIFT_BEING_SOLD,
    TicketState.REVOKED: reasons.GIFT_TICKET_ENDED,
    TicketState.BLOCKED: reasons.GIFT_TICKET_ENDED,
}

NOT_TRANSFERABLE = gettext_lazy("Tickets of this kind cannot be given away. Your ticket is as it was.")
BEING_CHANGED = gettext_lazy("Other choices for it are being paid for. Wait until that is done or over.")
IS_OVER = gettext_lazy("Tickets to this event cannot be given away any more. Your ticket is as it was.")
CANCELLED = gettext_lazy("The event is cancelled, so no ticket is given away. What was paid goes back by itself.")
NEED_IT = gettext_lazy(
    "Your guest tickets need this ticket. Offer those to the same person first, or sell them. Your ticket is as it was."
)
GIVERS_NEED_IT = gettext_lazy("Guest tickets of its giver need this ticket by now. It is its giver's as before.")
OFFERED_ALREADY = gettext_lazy(
    "You are giving this ticket to somebody already. Take that back first. Nothing was changed."
)
TO_ONESELF = gettext_lazy("This ticket is yours already. Nothing was changed. Write somebody else's address.")
TOO_MANY = gettext_lazy("This ticket was offered to many people already. Nothing was sent. Ask the organiser.")


class CannotGive(Exception):
    """The ticket cannot be given, or not to this person; nothing was changed. `sentence` says why, `field` names what
    in the form is wrong, where something is."""

    def __init__(self, sentence: str | Promise, *, field: str = "") -> None:
        super().__init__(str(sentence))
        self.sentence = sentence
        self.field = field


class MustPay(CannotGive):
    """The ticket costs this person more than was paid for it, and the organiser lets them pay that: `gift_payments`."""

    def __init__(self, minor: int, currency: str) -> None:
        words = {"sum": write_money(minor, currency)}
        super().__init__(
            _("This ticket costs you %(sum)s more than was paid for it. No money was taken, and it is its giver's as"
              " before. Pay the difference to have it.") % words
        )  # fmt: skip


class Over(Exception):
    """The offer was answered, taken back or let lapse before; nothing was changed. `gift` is it as it is now."""

    def __init__(self, gift: Gift) -> None:
        super().__init__(str(gift.public_id))
        self.gift = gift


# --- The event's rule ----------------------------------------------------------------------------------------------


def rule_of(event: Event) -> GivingRule:
    """The rule in force now; the defaults, unsaved, where the event made none. One query."""
    return GivingRule.objects.filter(event_id=event.pk).order_by("-pk").first() or GivingRule(event=event)


def closes_at(event: Event, rule: GivingRule) -> datetime:
    """From when on tickets keep their holders. Moves along with the event."""
    return (event.doors_at or event.starts_at) - timedelta(hours=rule.hours_before_doors)


def why_not(ticket: Ticket, rule: GivingRule, at: datetime, *, to: str = "") -> str | Promise:
    """Why this ticket cannot be given away now, as a sentence; empty when it can. `to` is the address of whom it goes
    to, as far as that is known. No query with type, event, line and order fetched along, but two where the ticket
    brings guests."""
    if not ticket.ticket_type.is_transferable:
        return NOT_TRANSFERABLE
    if ticket.event.cancelled_at is not None:
        return CANCELLED
    if at >= closes_at(ticket.event, rule):
        return IS_OVER
    if ticket.state != TicketState.VALID:
        return tickets.WHY_NOT_VALID.get(ticket.state, IS_OVER)
    if ticket.line.order.state != OrderState.PAID:
        return IS_OVER
    return NEED_IT if guest_tickets.need(ticket, _guests_offered(ticket, to)) else ""


def _guests_offered(ticket: Ticket, to: str) -> list[OrderLine]:
    """The lines of the guest tickets that its owner offers to the same person, `to`, or to somebody: whoever accepts
    this ticket may accept those then."""
    if not guest_tickets.brings_guests(ticket):
        return []
    offers = Gift.objects.filter(
        ticket__line__in=guest_tickets.own_lines(ticket),
        ticket__ticket_type__guests_of=ticket.ticket_type_id,
        state=GiftState.PENDING,
    ).select_related("ticket__line")
    return [gift.ticket.line for gift in offers if not to or holders.is_same(gift.to_email, to)]


# --- The giver -----------------------------------------------------------------------------------------------------


@once_more
def give(ticket: Ticket, *, name: str, email: str, note: str = "", actor: Any = None) -> Gift:
    """Offer a ticket to a person; it stays its holder's until they accept. Raises CannotGive.

    Locks the ticket. Next: the mail to the recipient, and their `accept` or `decline`.
    """
    name, email, note = one_line(name), email.strip(), " ".join(note.split())
    _insist_on_sense(name, email, note)
    with transaction.atomic():
        ticket = _locked(ticket)
        at, rule = clock.now(), rule_of(ticket.event)
        if refusal := why_not(ticket, rule, at, to=email):
            raise CannotGive(refusal)
        if holders.is_holder(ticket, key=ordering.buyer_key(None, email), email=email):
            raise CannotGive(TO_ONESELF, field="email")
        earlier = Gift.objects.filter(ticket=ticket)
        if earlier.filter(state=GiftState.PENDING).exists():
            raise CannotGive(OFFERED_ALREADY)
        if earlier.count() >= MOST_OFFERS:
            raise CannotGive(TOO_MANY)
        try:
            gift = Gift.objects.create(
                ticket=ticket,
                to_name=name,
                to_email=email,
                note=note,
                until=min(at + timedelta(days=DAYS_TO_ANSWER), closes_at(ticket.event, rule)),
                given_at=at,
            )
        except IntegrityError as error:  # two tabs at once
            raise CannotGive(OFFERED_ALREADY) from error
        mails.gift_letters.offered(gift)
        transaction.on_commit(partial(signals.tickets_offered.send_robust, sender=Ticket, ids=[ticket.pk]))
    return gift


def _insist_on_sense(name: str, email: str, note: str) -> None:
    if not name:
        raise CannotGive(_("Write the name of whoever shall have it. Nothing was sent."), field="name")
    if len(name) > LONGEST_NAME:
        raise CannotGive(
            _("Write at most %(limit)d characters. Nothing was sent.") % {"limit": LONGEST_NAME}, field="name"
        )
    try:
        if len(email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(email)
    except ValidationError as error:
        raise CannotGive(
            _("Write an e-mail address such as robin@example.org. Nothing was sent."), field="email"
        ) from error
    if len(note) > LONGEST_NOTE:
        raise CannotGive(
            _("Write at most %(limit)d characters. Nothing was sent.") % {"limit": LONGEST_NOTE}, field="note"
        )


@once_more
def cancel(gift: Gift, *, reason: str = reasons.GIFT_TAKEN_BACK, actor: Any = None) -> Gift:
    """Take an offer back; the ticket is its holder's as before. Safe to repeat. Raises Over when it was answered.

    Locks the gift. The recipient is told, and the giver where it was not their doing.
    """
    with transaction.atomic():
        moved = move_many(
            Gift, [gift.pk], GiftState.PENDING, GiftState.CANCELLED, reason, actor=actor, answered_at=clock.now()
        )
        now = _read(gift)
        if moved:
            _ended(now)
    if not moved and now.state != GiftState.CANCELLED:
        raise Over(now)
    return now


# --- The recipient -------------------------------------------------------------------------------------------------


@once_more
def decline(gift: Gift) -> Gift:
    """The recipient would rather not; the ticket is its holder's as before, who is told. Safe to repeat. Raises
    Over."""
    with transaction.atomic():
        moved = move_many(Gift, [gift.pk], GiftState.PENDING, GiftState.DECLINED, answered_at=clock.now())
        now = _read(gift)
        if moved:
            _ended(now)
    if not moved and now.state != GiftState.DECLINED:
        raise Over(now)
    return now


@once_more
def accept(gift: Gift, *, name: str = "", user: Any = None, paid: OrderLine | None = None) -> Ticket:
    """Let the recipient have the ticket: the giver's code ends, theirs is issued. Returns their ticket; safe to repeat.

    What holds for a buyer holds for them: gates, limits per person and types that exclude each other. `paid` is the
    line by which they have paid what it costs them more; what was too much of that comes back. Raises Over, MustPay,
    and CannotGive with the reason. Locks the event where limits count, the order, those of what was paid for it since,
    the ticket, the gift. Next: the mails.
    """
    person = user if user is not None and user.is_authenticated else None
    with transaction.atomic():
        facts = catalogue.load(gift.ticket.event_id, fresh=True)
        if facts.has_limits:
            event_lock.take(facts.event_id)  # the queue counts what this person has under it
        ticket, gift = locked(gift)
        if gift.state == GiftState.ACCEPTED and gift.became is not None and (paid is None or _is_made(paid)):
            return gift.became
        at, rule = clock.now(), rule_of(ticket.event)
        # Whoever began to pay in time is not late: their 15 minutes may outlast the offer.
        asked_at = at if paid is None else begun_at(paid.order, at)
        if gift.state != GiftState.PENDING or (paid is None and gift.until <= at):
            raise Over(gift)
        if paid is not None and not _is_good(paid):
            raise Over(gift)
        if refusal := why_not(ticket, rule, asked_at, to=gift.to_email):
            raise CannotGive(for_the_recipient(ticket, refusal))
        if changes.pending_of(ticket.line) is not None:
            raise CannotGive(for_the_recipient(ticket, BEING_CHANGED))
        named = read_name(ticket, gift, name)
        terms = gift_terms.terms_for(
            ticket, email=gift.to_email, person=person, facts=facts, rule=rule, at=at, has_paid=paid is not None
        )
        if terms.refusal:
            raise CannotGive(terms.refusal)
        if terms.pays_minor > (paid.kept_minor if paid else 0):
            raise MustPay(terms.pays_minor, ticket.line.order.currency)
        became = tickets.give(
            ticket, name=named, email=gift.to_email, owner=person, reason=reasons.GIVEN_AWAY, actor=person
        )
        _hand_over(ticket.line, gift, terms)
        tickets.mark_for_the_door([became.pk])
        values: dict[str, Any] = {"asks_proof": terms.asks_proof, "answered_at": at}
        own = {"became": {gift.pk: became.pk}}
        move_many(Gift, [gift.pk], GiftState.PENDING, GiftState.ACCEPTED, actor=person, each=own, **values)
        if paid is not None:
            _take(paid, terms.pays_minor, at)
        else:
            let_go_of_payment(gift)
        mails.gift_letters.accepted(_read(gift))
        crashpoint("gift.accepted")
    return became


def locked(gift: Gift) -> tuple[Ticket, Gift]:
    """The ticket and its offer as they are now, nobody else's until the transaction ends; before them the ticket's
    order is locked, and those of what was paid for it since."""
    Order.objects.select_for_update(of=("self",), no_key=True).get(lines__tickets=gift.ticket_id)
    refunds.lock_changes(OrderLine.objects.filter(tickets=gift.ticket_id).values_list("pk", flat=True))
    ticket = _locked(gift.ticket)
    return ticket, Gift.objects.select_for_update(of=("self",)).select_related("became").get(pk=gift.pk)


def begun_at(order: Order, at: datetime) -> datetime:
    """The moment that counts for whoever has paid by this order at `at`: when they began, as long as anybody who pays
    at once may take. Money that travels for days is no reason to be late."""
    longest = timedelta(minutes=reservations.LONGEST_HOLD_MINUTES)
    return max(order.decided_at or at, at - longest)


def _is_made(paid: OrderLine) -> bool:
    return ChoiceChange.objects.filter(line=paid, made_at__isnull=False).exists()


def _is_good(paid: OrderLine) -> bool:
    """Whether what was paid by this line is here, and nobody asks for it back. Its order is locked."""
    lines = OrderLine.objects.filter(pk=paid.pk, is_held=True, refunded_at__isnull=True, order__state=OrderState.PAID)
    is_open = lines.filter(choice_change__made_at=None, choice_change__undone_at=None).exists()
    return is_open and not refunds.is_disputed(paid.order)


def _take(paid: OrderLine, pays_minor: int, at: datetime) -> None:
    """Note that the ticket was had for what this line paid; what it does not cost any more goes back."""
    ChoiceChange.objects.filter(line=paid).update(made_at=at)
    if paid.kept_minor > pays_minor:
        rest_minor = paid.kept_minor - pays_minor
        refunds.give_back(paid.order, paid, rest_minor, note="", reason=reasons.GIFT_COSTS_LESS)


def for_the_recipient(ticket: Ticket, refusal: str | Promise) -> str | Promise:
    """What stands in the way of a giver, as told to whom they give."""
    if ticket.state in ENDED_BY:
        return reasons.sentence(ENDED_BY[ticket.state])
    if refusal == NEED_IT:
        return GIVERS_NEED_IT
    if refusal in (IS_OVER, NOT_TRANSFERABLE):
        return _("Tickets to this event cannot be given away any more. It is its giver's as before.")
    return refusal


def read_name(ticket: Ticket, gift: Gift, typed: str) -> str:
    name = one_line(typed)
    if len(name) > LONGEST_NAME:
        raise CannotGive(
            _("Write at most %(limit)d characters. Nothing was changed.") % {"limit": LONGEST_NAME}, field="name"
        )
    if not name and (ticket.ticket_type.needs_id or ticket.ticket_type.needs_name):
        raise CannotGive(_("Write your name as it stands on your card. Nothing was changed."), field="name")
    return name or gift.to_name


def _hand_over(line: OrderLine, gift: Gift, terms: gift_terms.Terms) -> None:
    """Let the place count as the recipient's from now on; given back to the buyer it is an ordinary one again.

    What the giver chose or answered for their health alone (no place, no money hangs on it) is theirs and goes.
    """
    is_buyer = terms.buyer_key == line.order.buyer_key or holders.is_same(gift.to_email, line.order.email)
    key = "" if is_buyer else terms.buyer_key
    OrderLine.objects.filter(pk=line.pk).update(owner_key=key, guest_name="")
    line.owner_key = key
    own = LineChoice.objects.filter(line=line, choice__is_sensitive=True, delta_minor=0, choice__quotas__isnull=True)
    own.delete()
    answers.forget_of_former_holder(line)


def _locked(ticket: Ticket) -> Ticket:
    """The ticket as it is now, nobody else's until the transaction ends, with all that its price was made of."""
    rows = Ticket.objects.select_for_update(of=("self",)).select_related("ticket_type", "line__order", "event")
    return fetched(rows).get(pk=ticket.pk)


def fetched(rows: Any) -> Any:
    """Tickets with what `gift_terms.terms_for` reads of them."""
    return rows.select_related("ticket_type", "line__order", "event__organisation").prefetch_related(
        "line__adjustments", Prefetch("line__choices", LineChoice.objects.order_by("pk"))
    )


def _read(gift: Gift) -> Gift:
    return Gift.objects.select_related("ticket__line__order", "ticket__event", "became").get(pk=gift.pk)


def _ended(gift: Gift) -> None:
    """An offer has ended: whoever was paying for it pays no more, and both sides are told."""
    let_go_of_payment(gift)
    mails.gift_letters.ended(gift)


def let_go_of_payment(gift: Gift) -> None:
    """Have what the recipient was about to pay let go of, once this transaction has ended: its order comes before the
    offer, which we hold."""
    changes_of = ChoiceChange.objects.filter(gift=gift, line__order__state=OrderState.RESERVED)
    for line in OrderLine.objects.filter(choice_change__in=changes_of).select_related("order"):
        outbox.add(LET_GO, key=f"{LET_GO}:{line.public_id}", payload={"order": line.order_id}, order=line.order)


# --- What ends an offer by itself ------------------------------------------------------------------------------------


def end(ticket_ids: Iterable[int], *, reason: str) -> int:
    """End the offers of these tickets, which their holders use otherwise now; how many. Both sides are told."""
    return _end(_PENDING.all(list(ticket_ids)), reason)


# Every sale, admission and refund asks this; nearly always there is none.
_PENDING = Rows(
    "gifts_pending", Gift, ("bigint[]",), "WHERE r.ticket_id = ANY($1) AND r.state = 'pending' ORDER BY r.id"
)


def on_tickets_moved(sender: Any, ids: Sequence[int], new: str, **_facts: Any) -> None:
    """A ticket that was used, is being bought, ended or is disputed is offered to nobody."""
    if new in ENDED_BY:
        end(ids, reason=ENDED_BY[new])


def sweep(at: datetime) -> int:
    """End the offers whose time is over or whose ticket is not good any more, at most 500 of each kind a call; how
    many. The signal of a moved ticket may be lost, this is not."""
    pending = Gift.objects.filter(state=GiftState.PENDING).select_related("ticket__event")
    ended = 0
    for gift in pending.exclude(ticket__state=TicketState.VALID).order_by("pk")[:ENDED_AT_ONCE]:
        ended += _end([gift], ENDED_BY[gift.ticket.state])
    cancelled = pending.filter(ticket__event__cancelled_at__isnull=False).order_by("pk")
    ended += _end(cancelled[:ENDED_AT_ONCE], reasons.EVENT_CANCELLED)
    return ended + _lapse(pending, at)


def _lapse(pending: QuerySet[Gift], at: datetime) -> int:
    """End the offers whose time is over, but for those whose recipient is paying at this moment; how many."""
    late = pending.filter(until__lte=at).exclude(pk__in=_being_paid_for())
    ids = list(late.order_by("pk").values_list("pk", flat=True)[:ENDED_AT_ONCE])
    if not ids:
        return 0
    with transaction.atomic():
        rows = Gift.objects.select_for_update(of=("self",), skip_locked=True).filter(pk__in=ids)
        free = {gift.pk for gift in rows.order_by("pk")}
        free -= set(_being_paid_for().filter(gift__in=free))  # asked again: somebody may have begun before the lock
        lapsed = move_many(Gift, free, GiftState.PENDING, GiftState.EXPIRED, answered_at=at)
        for gift in Gift.objects.filter(pk__in=lapsed).select_related("ticket__line__order", "ticket__event"):
            _ended(gift)
    return len(lapsed)


def _being_paid_for() -> QuerySet[ChoiceChange, int]:
    """The ids of the offers whose recipients pay, or have just paid, what the ticket costs them more."""
    return ChoiceChange.objects.filter(ChoiceChange.BEING_PAID).values_list("gift", flat=True)


def _end(gifts: Iterable[Gift], reason: str) -> int:
    ended = 0
    for gift in gifts:
        try:
            cancel(gift, reason=reason)
            ended += 1
        except (Over, StaleState):
            continue  # answered in this moment
        except Exception as error:
            log.error("the offer %s cannot be ended: %r", gift.public_id, error)
    return ended


# --- Reading ---------------------------------------------------------------------------------------------------------


def of_ticket(ticket: Ticket) -> Gift | None:
    """The newest offer of a ticket, whatever became of it. One query."""
    return Gift.objects.filter(ticket=ticket).order_by("-pk").first()


def why_ended(gift: Gift) -> str:
    """Why an offer that is not open any more ended, or cannot be accepted now, told to its recipient in a sentence;
    empty where its state says all. `gift.ticket.event` is read. One query."""
    is_over = gift.state == GiftState.CANCELLED or gift.ticket.state in ENDED_BY
    if is_over and gift.differences.exists():
        return reasons.sentence(reasons.GIFT_ENDED_UNDER_PAYER)  # the others say that no money was taken
    if gift.reason:
        return reasons.sentence(gift.reason)
    if gift.state == GiftState.PENDING and gift.ticket.event.cancelled_at is not None:
        return reasons.sentence(reasons.EVENT_CANCELLED)
    if gift.state == GiftState.PENDING and gift.ticket.state in ENDED_BY:
        return reasons.sentence(ENDED_BY[gift.ticket.state])
    return ""


def given_to(emails: Sequence[str], at: datetime) -> list[Gift]:
    """The open offers to any of these addresses, in lower case and proved by whoever is shown them. One query."""
    if not emails:
        return []
    theirs = Gift.objects.annotate(address=Lower("to_email")).filter(address__in=emails)
    found = theirs.filter(state=GiftState.PENDING, until__gt=at)
    return list(found.select_related("ticket__event", "ticket__ticket_type").order_by("until", "pk"))


def offered(of: Iterable[Ticket]) -> dict[int, str]:
    """{ticket id: to whom it is offered now}, in one query."""
    pending = Gift.objects.filter(ticket__in=[ticket.pk for ticket in of], state=GiftState.PENDING)
    return dict(pending.values_list("ticket_id", "to_name"))


def history(order: Order) -> list[Gift]:
    """Every offer of the order's tickets, in time: who had each place, who has it now, and what they paid more. Two
    queries."""
    rows = Gift.objects.filter(ticket__line__order=order)
    paid_more = Prefetch(
        "differences", ChoiceChange.objects.select_related("line__order").order_by("pk"), to_attr="paid_more"
    )
    return list(rows.select_related("ticket", "became").prefetch_related(paid_more).order_by("pk"))
