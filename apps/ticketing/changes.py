"""Other choices for a ticket that is paid: until the type's cut-off, with the difference repaid or charged.

What costs the same or less is changed at once: the rows, the stock of the choices and, by a partial refund, the money.
What costs more is paid by a supplementary order of the same buyer, an ordinary order whose one line is of the
fulfilment `change`: it is held, paid, expired, refunded and booked like any other, and only holds the choices' stock.
When it is paid, its fulfilment makes the change. A ticket has one such order at a time (docs/decisions/0021).

All begins under the lock of the ticket's own order; the fulfilment holds the supplementary order and the ticket alone,
which it may, because nothing else changes the choices of a ticket while such an order is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from apps.accounts.prepared import Statement
from apps.accounts.request_ids import current_request_id
from apps.events.translated import joined, repeated
from apps.ticketing import (
    answers,
    catalogue,
    clock,
    documents,
    fulfilment,
    reasons,
    refunds,
    reservations,
    signals,
    supplements,
)
from apps.ticketing.catalogue import TypeFacts
from apps.ticketing.models import (
    Adjustment,
    AuditEntry,
    Choice,
    ChoiceChange,
    Gift,
    LineChoice,
    Order,
    OrderLine,
    Refund,
    Ticket,
)
from apps.ticketing.models.orders import CHANGE
from apps.ticketing.money import vat_inside
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState, TicketState

SOURCE = "change"
CHOICES_CHANGED = reasons.register(
    "choices_changed", gettext_lazy("You changed your choices; the difference is on its way back to you.")
)
NOTHING_TO_CHANGE = reasons.register(
    "nothing_to_change",
    gettext_lazy("The ticket ended before its change was paid, so nothing was changed. All of it is on its way back."),
)
TICKET_ENDED = reasons.register(
    "ticket_of_change_ended",
    gettext_lazy("The ticket of this change has ended, so all that the change cost is on its way back."),
)
CHANGE_UNDONE = reasons.register(
    "change_undone",
    gettext_lazy("A change that came before this one was not paid in the end, so both are undone. What this one cost is"
                 " on its way back."),
)  # fmt: skip
TAKEN_NOW = gettext_lazy(
    "Whoever you offer this ticket to is paying what it costs them more. Nothing was changed. Wait until that is done"
    " or over, or take the offer back."
)


class NotChanged(Exception):
    """Nothing was changed and no money moved; the sentence says why and what to do."""


class Pending(NotChanged):
    """The last change of this ticket is still to be paid, by `order`."""

    def __init__(self, order: Order) -> None:
        super().__init__(_("Your last change waits for its payment. Pay it or release it first. Nothing was changed."))
        self.order = order


class PriceDiffers(NotChanged):
    """What the buyer agreed to pay or get is not what it would be now."""


# --- What a change comes to ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pick:
    """How many of a choice a ticket has or shall have, and what each adds to its price in minor units."""

    choice_id: int
    quantity: int
    delta_minor: int

    @property
    def total_minor(self) -> int:
        return self.quantity * self.delta_minor


@dataclass(frozen=True)
class Plan:
    """What a ticket has and what it shall have. `difference_minor` is what the buyer pays more; negative comes back."""

    before: tuple[Pick, ...]
    after: tuple[Pick, ...]

    @property
    def difference_minor(self) -> int:
        return sum(pick.total_minor for pick in self.after) - sum(pick.total_minor for pick in self.before)

    @property
    def changes_anything(self) -> bool:
        return _pieces(self.before) != _pieces(self.after)

    @property
    def added(self) -> tuple[Pick, ...]:
        return _more(self.after, _pieces(self.before))

    @property
    def removed(self) -> tuple[Pick, ...]:
        return _more(self.before, _pieces(self.after))


def _pieces(picks: Sequence[Pick]) -> Counter[int]:
    return Counter({pick.choice_id: pick.quantity for pick in picks})


def _more(picks: Sequence[Pick], than: Mapping[int, int]) -> tuple[Pick, ...]:
    """What of `picks` goes beyond `than`."""
    more = [(pick, pick.quantity - than.get(pick.choice_id, 0)) for pick in picks]
    return tuple(Pick(pick.choice_id, number, pick.delta_minor) for pick, number in more if number > 0)


def has_now(line: OrderLine) -> tuple[Pick, ...]:
    """The choices a line has, at the prices they were sold for."""
    rows = LineChoice.objects.filter(line=line).order_by("choice_id")
    return tuple(Pick(row.choice_id, row.quantity, row.delta_minor) for row in rows)


def plan(before: Sequence[Pick], wanted: Mapping[int, int], kind: TypeFacts) -> Plan:
    """What it takes to have `wanted` ({choice: number}) instead. Pure.

    What a ticket has already costs what it was sold for, also more of it; all else what it costs today. Raises
    NotChanged where a choice is missing, gone, or wanted too often.
    """
    had = {pick.choice_id: pick for pick in before}
    after = []
    for choice_id, quantity in sorted(wanted.items()):
        if quantity < 1:
            continue
        facts = kind.choice(choice_id)
        most = facts.max_quantity if facts else had[choice_id].quantity if choice_id in had else 0
        if quantity > most and not (choice_id in had and quantity <= had[choice_id].quantity):
            raise NotChanged(_not_that_many(facts.name if facts else "", most))
        delta = had[choice_id].delta_minor if choice_id in had else facts.delta_minor if facts else 0
        after.append(Pick(choice_id, quantity, delta))
    for variation in kind.variations:
        own = {choice.id for choice in variation.choices}
        chosen = sum(pick.quantity for pick in after if pick.choice_id in own)
        # A choice that is no longer offered stays with whoever has it, though it is none of the variation's any more.
        if variation.is_mandatory and chosen != 1 and not (chosen == 0 and _keeps_a_gone_choice(had, after, kind)):
            raise NotChanged(_("Choose one of “%(what)s”. Nothing was changed.") % {"what": variation.name})
    return Plan(tuple(before), tuple(after))


def _not_that_many(name: str, most: int) -> str:
    if not most:
        return _("A choice you made is no longer offered. Nothing was changed. Choose another one.")
    return _("At most %(most)d of “%(name)s” for each ticket. Nothing was changed.") % {"most": most, "name": name}


def _keeps_a_gone_choice(had: Mapping[int, Pick], after: Sequence[Pick], kind: TypeFacts) -> bool:
    return any(kind.choice(pick.choice_id) is None and pick.choice_id in had for pick in after)


# --- When it is possible ---------------------------------------------------------------------------------------------


def why_not(order: Order, ticket: Ticket, at: datetime) -> str:
    """Why the buyer cannot change this ticket's choices at `at`, in a sentence; empty when they can. `ticket_type` of
    the ticket and `event` of the order are read; at most one query."""
    event = order.event
    if order.state != OrderState.PAID or event.cancelled_at is not None:
        return _("This order is over, so its choices stay as they are.")
    if ticket.state != TicketState.VALID:
        return _("This ticket is not open for changes now: it was used, is being sold, or is not valid any more.")
    if ticket.line.is_given_away:
        return _("This ticket was given away, so its choices stay as they are.")
    if at >= answers.closes_at(ticket.ticket_type, event):
        return answers.closing_sentence(ticket.ticket_type, event, at)
    if refunds.is_disputed(order):
        return _("The payment is disputed at the bank, so nothing can be changed now.")
    return ""


def pending_of(line: OrderLine) -> Order | None:
    """The supplementary order of other choices that waits for its payment, if there is one. One query."""
    waiting = ChoiceChange.objects.filter(of_line=line, gift=None, line__order__state=OrderState.RESERVED)
    change = waiting.select_related("line__order").first()
    return change.line.order if change else None


def is_paid_for_by_recipient(lines: Q) -> bool:
    """Whether somebody to whom the ticket of such a line is offered pays, or has just paid, what it costs them more.
    One query."""
    of_lines = OrderLine.objects.filter(lines).values("pk")
    return ChoiceChange.objects.filter(ChoiceChange.BEING_PAID, of_line__in=of_lines).exists()


def ticket_order(order: Order) -> Order | None:
    """The order of the ticket that the supplementary order `order` is about; None for any other order."""
    if not order.is_supplement:
        return None
    change = ChoiceChange.objects.filter(line__order=order, gift=None).select_related("of_line__order").first()
    # Whoever holds the link of the one is led to the other only as long as both are the same buyer's: a corrected
    # address ends every link that was sent before.
    if change is None or change.of_line.order.email.lower() != order.email.lower():
        return None
    return change.of_line.order


# --- Doing it --------------------------------------------------------------------------------------------------------


@once_more
def begin(
    order: Order, ticket: Ticket, wanted: Mapping[int, int], *, agreed_minor: int, actor: Any = None
) -> Order | None:
    """Give a ticket of the paid `order` other choices: `wanted`, {choice: number}.

    What costs the same or less is done now, and what comes back is on its way. Otherwise the supplementary order is
    returned, which holds the choices and waits for its payment. `agreed_minor` is the difference the buyer saw. Raises
    NotChanged with a sentence, changing nothing. Locks the order, those of earlier changes, the ticket, then quotas by
    id. Next: payments.start.
    """
    with transaction.atomic():
        rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("event__organisation")
        order = rows.get(pk=order.pk)
        refunds.lock_changes([ticket.line_id])  # a part of them may be repaid
        ticket = (
            Ticket.objects.select_for_update(of=("self",), no_key=True)
            .select_related("ticket_type", "line")
            .get(pk=ticket.pk, line__order=order)
        )
        at = clock.now()
        line = ticket.line
        if refusal := why_not(order, ticket, at):
            raise NotChanged(refusal)
        if (waiting := pending_of(line)) is not None:
            raise Pending(waiting)
        if is_paid_for_by_recipient(Q(pk=line.pk)):
            raise NotChanged(str(TAKEN_NOW))
        kind = catalogue.load(order.event_id, fresh=True).type(ticket.ticket_type_id)
        if kind is None:
            raise NotChanged(_("This ticket is not sold any more, so its choices stay as they are."))
        planned = plan(has_now(line), wanted, kind)
        if not planned.changes_anything:
            raise NotChanged(_("These are the choices the ticket has already. Nothing was changed."))
        if difference(line, planned) != agreed_minor:
            raise PriceDiffers(_("The price of a choice has changed. Nothing was changed; look at the sum again."))
        transaction.on_commit(partial(signals.choices_changed.send_robust, sender=Ticket, ids=[ticket.pk]))
        if planned.difference_minor > 0:
            return _ask_for_payment(order, line, planned, actor)
        if not reservations.exchange(order.event_id, _stock(planned.added), _stock(planned.removed)):
            raise NotChanged(_sold_out())
        _write(line, planned.after)
        _repay(order, line, -planned.difference_minor, actor)
        _done(order, line, actor)
    return None


def difference(line: OrderLine, planned: Plan) -> int:
    """What the buyer would pay more, or get back as a negative sum, in minor units: never more than what is left of
    what was paid. One query at most."""
    if planned.difference_minor >= 0:
        return planned.difference_minor
    return -min(-planned.difference_minor, sum(row.kept_minor for row in _paid_lines(line)))


def changed_for_money() -> QuerySet[OrderLine]:
    """The lines of tickets whose choices were changed for money, either way: what they were sold at does not follow
    from the choices that they have now."""
    paid = ChoiceChange.objects.filter(line__is_held=True, gift=None).values("of_line")
    repaid = Refund.lines.through.objects.filter(refund__reason=CHOICES_CHANGED).values("orderline")
    return OrderLine.objects.filter(Q(pk__in=paid) | Q(pk__in=repaid))


_CHANGED = Statement(
    "lines_changed_for_money",
    ("bigint[]",),
    f"""
SELECT change.of_line_id FROM ticketing_choicechange change JOIN ticketing_orderline paid ON paid.id = change.line_id
    WHERE change.of_line_id = ANY($1) AND paid.is_held AND change.gift_id IS NULL
UNION SELECT repaid.orderline_id FROM ticketing_refund_lines repaid JOIN ticketing_refund r ON r.id = repaid.refund_id
    WHERE repaid.orderline_id = ANY($1) AND r.reason = '{CHOICES_CHANGED}'
""",
)


def which_changed_for_money(line_ids: Iterable[int]) -> set[int]:
    """Those of these lines that `changed_for_money` names; for a sale in a rush."""
    return {pk for (pk,) in _CHANGED.run(list(line_ids))}


def paid_for_by_recipients() -> QuerySet[OrderLine]:
    """The lines of tickets for which somebody they were given to paid what they cost them more."""
    return OrderLine.objects.filter(
        pk__in=ChoiceChange.objects.filter(ChoiceChange.STANDS, gift__isnull=False).values("of_line")
    )


def _sold_out() -> str:
    return _("A choice was sold out in this moment. Nothing was changed and no money was taken. Choose another one.")


def _stock(picks: Sequence[Pick]) -> dict[int, int]:
    """Places by quota that these pieces take."""
    quantities = {pick.choice_id: pick.quantity for pick in picks}
    taken: Counter[int] = Counter()
    through = Choice.quotas.through.objects.filter(choice__in=quantities).values_list("choice_id", "quota_id")
    for choice_id, quota_id in through:
        taken[quota_id] += quantities[choice_id]
    return dict(taken)


def _within(stock: Mapping[int, int], covered: Mapping[str, int]) -> dict[int, int]:
    """What of `stock` is covered, by quota, as far as it is there. JSON has made text of the keys of `covered`."""
    return {int(key): least for key, count in covered.items() if (least := min(count, stock.get(int(key), 0))) > 0}


def _less(stock: Mapping[int, int], covered: Mapping[int, int]) -> dict[int, int]:
    """What of `stock` is not covered, by quota."""
    return {quota_id: more for quota_id, count in stock.items() if (more := count - covered.get(quota_id, 0)) > 0}


def _write(line: OrderLine, after: Sequence[Pick]) -> None:
    LineChoice.objects.filter(line=line).delete()
    LineChoice.objects.bulk_create(
        LineChoice(line=line, choice_id=pick.choice_id, quantity=pick.quantity, delta_minor=pick.delta_minor)
        for pick in after
    )


def _done(order: Order, line: OrderLine, actor: Any, *, reason: str = CHOICES_CHANGED) -> None:
    """Note it, and have the ticket's file made anew."""
    AuditEntry.objects.create(
        model=OrderLine._meta.label_lower,
        row_id=line.pk,
        old="",
        new="",
        reason=reason,
        actor=actor,
        request_id=current_request_id(),
        at=clock.now(),
    )
    documents.wanted(order)


# --- Cheaper: a part comes back --------------------------------------------------------------------------------------


def _paid_lines(line: OrderLine) -> list[OrderLine]:
    """The lines by which its buyer paid a ticket and its changes, the newest first; of each order one line."""
    supplements = OrderLine.objects.filter(
        choice_change__of_line=line,
        choice_change__gift=None,
        is_held=True,
        refunded_at__isnull=True,
        order__state=OrderState.PAID,
    )
    return [*supplements.select_related("order").order_by("-order_id"), line]


def _repay(order: Order, line: OrderLine, amount_minor: int, actor: Any) -> None:
    """Give back what the choices cost less: of the newest change first, at most what is left of each payment."""
    for paid in _paid_lines(line):
        part = min(amount_minor, paid.kept_minor)
        if part > 0:
            whose = order if paid.pk == line.pk else paid.order
            try:
                refunds.give_back(whose, paid, part, note="", actor=actor, reason=CHOICES_CHANGED)
            except refunds.Disputed as refusal:
                raise NotChanged(str(refusal.sentence)) from refusal
            amount_minor -= part


# --- Dearer: a supplementary order -----------------------------------------------------------------------------------


def _ask_for_payment(order: Order, line: OrderLine, planned: Plan, actor: Any) -> Order:
    """The supplementary order, held as long as any; its line tells what is added and what falls away."""
    at = clock.now()
    added_minor = sum(pick.total_minor for pick in planned.added)
    list_minor, price_minor = max(0, added_minor), planned.difference_minor
    line.order = order
    own = supplements.place(
        line,
        channel=CHANGE,
        at=at,
        who={
            "user_id": order.user_id,
            "email": order.email,
            "email_confirmed_at": order.email_confirmed_at,
            "name": order.name,
            "terms_version": order.terms_version,
        },
        fulfilment=fulfilment.CHANGE,
        list_minor=list_minor,
        price_minor=price_minor,
        vat_minor=vat_inside(price_minor, line.vat_percent),
        guest_name=line.guest_name,
    )
    _write(own, planned.added)
    if price_minor != list_minor:
        Adjustment.objects.create(
            line=own,
            source=SOURCE,
            label_sv=_instead_of(planned.removed, "sv"),
            label_en=_instead_of(planned.removed, "en"),
            amount_minor=price_minor - list_minor,
        )
    after = [[pick.choice_id, pick.quantity, pick.delta_minor] for pick in planned.after]
    added, removed = _stock(planned.added), _stock(planned.removed)
    # What the ticket has and gives up in the same quotas is held by itself: a full quota lets its buyer swap in it.
    covered = {quota_id: min(count, removed[quota_id]) for quota_id, count in added.items() if quota_id in removed}
    ChoiceChange.objects.create(line=own, of_line=line, wanted=after, covered=covered)
    if not reservations.hold_change(own, _less(added, covered)):
        raise NotChanged(_sold_out())
    return supplements.hold(own.order, at, actor=actor)


def _instead_of(removed: Sequence[Pick], language: str) -> str:
    """What falls away, as the name of what it takes off the price."""
    rows = Choice.objects.in_bulk([pick.choice_id for pick in removed])
    with override(language):
        names = joined([repeated(rows[pick.choice_id].name, pick.quantity) for pick in removed])
        return (_("Instead of %(choices)s") % {"choices": names})[:120]


class Change:
    """The Fulfilment of a supplementary order's line: the ticket gets the choices that were paid for."""

    slug = fulfilment.CHANGE
    takes_stock = False  # of its type it takes none; of its choices `reservations` counts them until it is paid
    once_taken = reasons.NOT_ON_SALE

    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        return {line.pk: reasons.NOT_ON_SALE for line in lines}  # none comes by the queue

    def reserve(self, lines: Sequence[OrderLine]) -> None:
        """None comes by the queue."""

    def fulfil(self, lines: Sequence[OrderLine]) -> Sequence[Ticket]:
        for line in lines:
            change = (
                ChoiceChange.objects.select_for_update(of=("self",)).select_related("of_line__order").get(line=line)
            )
            if change.made_at is None:
                self._make(line, change)
        return []

    def _make(self, line: OrderLine, change: ChoiceChange) -> None:
        base = change.of_line
        alive = [TicketState.VALID, TicketState.USED, TicketState.BLOCKED, TicketState.HELD]
        lives = list(Ticket.objects.select_for_update(no_key=True).filter(line=base, state__in=alive).values_list("pk"))
        base.refresh_from_db(fields=["refunded_at"])
        is_alive = bool(lives) and base.refunded_at is None
        added = _stock(has_now(line))
        covered = _within(added, change.covered)
        planned = Plan(has_now(base), tuple(Pick(*row) for row in change.wanted))
        if is_alive and _is_what_was_paid(planned, line, covered):
            removed = planned.removed
            reservations.exchange(base.order.event_id, {}, _less(_stock(removed), covered))
            _write(base, planned.after)
            _done(base.order, base, None)
            change.replaced = [[pick.choice_id, pick.quantity, pick.delta_minor] for pick in removed]
        else:
            # The ticket ended while this was paid, or lost the choices that this builds on: what was added goes back on
            # sale now, the money once it is booked.
            reservations.exchange(base.order.event_id, {}, _less(added, covered))
            refunds.order_later(line, reason=CHANGE_UNDONE if is_alive else NOTHING_TO_CHANGE)
            change.undone_at = clock.now()  # the ticket has nothing of it, should its payment be lost too
        ChoiceChange.objects.filter(pk=change.pk).update(
            made_at=clock.now(), undone_at=change.undone_at, wanted=[], replaced=change.replaced
        )

    def release(self, lines: Sequence[OrderLine]) -> None:
        """`reservations` gives the choices back itself, as long as they were not paid."""


def _is_what_was_paid(planned: Plan, line: OrderLine, covered: Mapping[int, int]) -> bool:
    """Whether a change of what a ticket has now is still the one that `line` holds and costs: an earlier one, on which
    it builds, may have been undone since."""
    return (
        _pieces(planned.added) == _pieces(has_now(line))
        and planned.difference_minor == line.price_minor
        and not _less(covered, _stock(planned.removed))
    )


# --- Undone: the payer's bank took the money back ---------------------------------------------------------------------


def undo(line: OrderLine) -> None:
    """Take the change back that `line` paid for, and those made and paid after it, which build on it: their money goes
    back. Does nothing for other lines, one that was not made, and one that was taken back before.

    The ticket's choices become what they were; what a change replaced and is sold out by now stays away. One that was
    itself exchanged for something cheaper meanwhile stays as it is. Inside a transaction with the line's order locked,
    which whoever changes the ticket's choices locks too. Locks the ticket, then quotas by id.
    """
    standing = ChoiceChange.objects.filter(ChoiceChange.STANDS, gift=None)
    change = standing.select_related("of_line__order").filter(line=line).first()
    if change is None:
        return
    base = change.of_line
    list(Ticket.objects.select_for_update(no_key=True).filter(line=base).order_by("pk").values_list("pk"))
    if not OrderLine.objects.filter(pk=base.pk, is_held=True, refunded_at__isnull=True).exists():
        return
    of_ticket = standing.filter(of_line=base, line__refunded_at__isnull=True)
    later = of_ticket.filter(pk__gt=change.pk).select_related("line__order").order_by("-pk")
    for made in [*later, change]:
        _take_back(made, base)
        if made.pk != change.pk:
            refunds.order_later(made.line, reason=CHANGE_UNDONE)
    _done(base.order, base, None, reason=CHANGE_UNDONE)


def ask_for_proof(line: OrderLine) -> None:
    """The payer's bank took back what `line` paid so that a ticket could be had at a price that was not theirs. It
    stays its holder's, and the door asks for a proof, as if nothing had been paid. Does nothing for other lines.

    Inside a transaction with the orders of both locked.
    """
    standing = ChoiceChange.objects.filter(ChoiceChange.STANDS, line=line, gift__isnull=False)
    of_lines = list(standing.values_list("of_line", flat=True))
    if standing.update(undone_at=clock.now()):
        had = Gift.objects.filter(became__line__in=of_lines)
        had.exclude(became__state__in=[TicketState.SUPERSEDED, TicketState.REVOKED]).update(asks_proof=True)


def _take_back(change: ChoiceChange, base: OrderLine) -> None:
    """Give a ticket's line the choices back that it had before one change, as far as it still has what that added:
    once, though its payment be lost later."""
    ChoiceChange.objects.filter(pk=change.pk).update(undone_at=clock.now())
    added, now = has_now(change.line), has_now(base)
    replaced = tuple(Pick(*row) for row in change.replaced)
    if _more(added, _pieces(now)):
        return
    event_id = base.order.event_id
    if not reservations.exchange(event_id, _stock(replaced), _stock(added)):
        replaced = ()
        reservations.exchange(event_id, {}, _stock(added))
    prices = {pick.choice_id: pick.delta_minor for pick in (*replaced, *now)}
    pieces = _pieces(now) - _pieces(added) + _pieces(replaced)
    _write(base, [Pick(choice_id, number, prices[choice_id]) for choice_id, number in sorted(pieces.items())])
