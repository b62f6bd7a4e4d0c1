"""Standing on an event's waiting list: joining, also with the rank one lost in the queue with, leaving, being served.

A person is who they are elsewhere: an account, or an address; one entry per person and event. An address that was typed
is on the list once its reader has said so; an account's, or that of an order whose buyer has proved it, at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext as _

from apps.accounts.prepared import Statement
from apps.events.models import Event
from apps.resale import waiting_line, waiting_mails, waiting_offers, waiting_places
from apps.resale import waiting_reasons as reasons
from apps.resale.models import WaitingEntry
from apps.resale.waiting_models import MOST_TICKETS
from apps.resale.waiting_states import ON_LIST, EntryState, OfferState
from apps.ticketing import catalogue, clock, lists, ordering, reservations
from apps.ticketing import reasons as house_reasons
from apps.ticketing.models import Order, OrderLine
from apps.ticketing.models.orders import PAST_THE_SALE
from apps.ticketing.ordering import Problem, Refused
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState
from apps.ticketing.transitions import move_many

log = logging.getLogger(__name__)

A_TURN = 500
LOST = (house_reasons.SOLD_OUT, house_reasons.SALE_ENDED)


class AlreadyOnList(Refused):
    """This person stands on the list already, as `entry`; nothing was changed. For a guest that is an address anybody
    may type: show the entry's link only to whoever is known to hold it, and write to the address otherwise."""

    def __init__(self, entry: WaitingEntry) -> None:
        self.entry = entry
        super().__init__([Problem("email", house_reasons.REFUSED, _("You are on the waiting list already."))])


@once_more
def join(
    event: Event,
    *,
    email: str,
    user: Any = None,
    type_ids: Iterable[int],
    quantity: int,
    all_or_nothing: bool = False,
    locale: str = "sv",
) -> WaitingEntry:
    """Put a person on the list, behind everybody: at once who is signed in, else once they confirm their address.

    Raises ordering.Refused with every problem at once, and AlreadyOnList. Next: the mail; `confirm`.
    """
    person = user if user is not None and user.is_authenticated else None
    address = (person.email if person else email).strip()
    types = sorted(set(type_ids))
    problems = _problems(event, address, person, types, quantity)
    if problems:
        raise Refused(problems)
    return _put_on(
        event,
        types,
        rank=_next_rank(),
        is_proven=person is not None,
        buyer_key=ordering.buyer_key(person, address),
        user=person,
        email=address,
        locale=locale,
        quantity=quantity,
        all_or_nothing=all_or_nothing and quantity > 1,
    )


def _problems(event: Event, email: str, person: Any, types: Sequence[int], quantity: int) -> list[Problem]:
    found: list[Problem] = []
    at, facts = clock.now(), catalogue.load(event.pk)

    def wrong(where: str, reason: str, message: str = "") -> None:
        found.append(Problem(where, reason, message or house_reasons.sentence(reason)))

    if not waiting_line.is_open(event, at):
        wrong("types", reasons.CLOSED)
        return found
    try:
        validate_email(email)
    except ValidationError:
        wrong("email", house_reasons.REFUSED, _("Write an e-mail address such as robin@example.org."))
    if facts.sign_in_required and person is None:
        wrong("email", house_reasons.SIGN_IN_REQUIRED)
    if not 1 <= quantity <= MOST_TICKETS:
        wrong("quantity", reasons.BAD_NUMBER)
        return found
    kinds = [kind for pk in types if (kind := facts.type(pk)) is not None]
    if not kinds or len(kinds) != len(types):
        wrong("types", reasons.NOTHING_CHOSEN)
    limits = [limit for kind in kinds if (limit := kind.max_per_person) is not None]
    if limits and quantity > max(limits) or quantity > (facts.max_per_person or quantity):
        wrong("quantity", reasons.TOO_MANY)
    left = catalogue.stock(event.pk)
    if any(can_buy(facts, kind, left, quantity, at) for kind in kinds):
        wrong("types", reasons.NOT_SOLD_OUT)
    return found


def can_buy(
    facts: catalogue.Catalogue, kind: catalogue.TypeFacts, left: dict[int, int], quantity: int, at: datetime
) -> bool:
    """Whether everybody may buy so many of a kind at this moment, so that nobody need wait for it."""
    on_sale = kind.is_open(at) and not facts.is_ended and not facts.is_cancelled
    return on_sale and catalogue.left_of(kind, left) >= quantity


def got_no_place(order: Order) -> bool:
    """Whether an order lost in the queue, or still waits there with nothing left for it."""
    lost = order.state == OrderState.REJECTED and order.reason in LOST
    return (lost or order.state == OrderState.WAITING) and order.channel not in PAST_THE_SALE


def may_join_from(order: Order) -> bool:
    """Whether its buyer may take the rank of this order to the list, where they do not stand yet: once, so that whoever
    was served or left comes again behind everybody. One query."""
    if not got_no_place(order):
        return False
    return not (_standing(order) | WaitingEntry.objects.filter(order=order)).exists()


def is_proven(order: Order) -> bool:
    """Whether an order's address is known to be its buyer's: an account's, or one whose reader was here."""
    return order.user_id is not None or order.email_confirmed_at is not None


@dataclass(frozen=True)
class Wish:
    """What somebody waits for: kinds of ticket, how many, and whether all together or none."""

    type_ids: tuple[int, ...]
    kinds: tuple[str, ...]
    quantity: int
    all_or_nothing: bool


def wish_of(order: Order) -> Wish:
    """What an order that got no place takes to the list."""
    lines = OrderLine.objects.filter(order=order, is_wanted=True).select_related("ticket_type").order_by("position")
    types = {line.ticket_type_id: line.ticket_type.name for line in lines}
    quantity = min(MOST_TICKETS, len(lines))
    return Wish(tuple(types), tuple(types.values()), quantity, not order.fewer_is_fine and quantity > 1)


@once_more
def join_from(order: Order) -> WaitingEntry:
    """Put the buyer of an order that got no place on the list, with its rank, types and number; a guest once they
    confirm the address that was typed. One that still waits goes on doing so: whoever stands in line comes before the
    list. Raises AlreadyOnList, and ordering.Refused."""
    if not may_join_from(order):
        known = _standing(order).first()
        if known is not None:
            raise AlreadyOnList(known)
    if not may_join_from(order) or not waiting_line.is_open(order.event, clock.now()):
        raise Refused([Problem("types", reasons.CLOSED, house_reasons.sentence(reasons.CLOSED))])
    wish = wish_of(order)
    return _put_on(
        order.event,
        wish.type_ids,
        rank=order.rank if order.rank is not None else _next_rank(),
        is_proven=is_proven(order),
        buyer_key=order.buyer_key,
        user=order.user,
        email=order.email,
        locale=order.locale,
        quantity=wish.quantity,
        all_or_nothing=wish.all_or_nothing,
        order=order,
    )


def _put_on(event: Event, types: Sequence[int], *, rank: int, is_proven: bool, **values: Any) -> WaitingEntry:
    state = EntryState.WAITING if is_proven else EntryState.ASKED
    entry = WaitingEntry(event=event, rank=rank, state=state, joined_at=clock.now(), **values)
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
            entry.types.set(types)
            if entry.state == EntryState.ASKED:
                waiting_mails.asked(entry)
            else:
                waiting_mails.joined(entry)
    except IntegrityError:
        known = _standing(entry).first()
        if known is None:
            raise
        raise AlreadyOnList(known) from None
    return entry


def _standing(who: Order | WaitingEntry | None = None) -> QuerySet[WaitingEntry]:
    """Everybody who stands on a list; of `who` only their entry for the same event, where they have one."""
    rows = WaitingEntry.objects.filter(state__in=ON_LIST)
    return rows if who is None else rows.filter(event=who.event_id, buyer_key=who.buyer_key)


def _next_rank() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('ticketing_rank')")
        return cursor.fetchone()[0]


def remind_of(entry: WaitingEntry) -> None:
    """Send whoever stands on the list their link once more, at most every ten minutes: an address was typed again."""
    with transaction.atomic():
        if entry.state == EntryState.ASKED:
            waiting_mails.asked(entry, again=True)
        else:
            waiting_mails.joined(entry, again=True)


@once_more
def confirm(entry: WaitingEntry) -> bool:
    """Their reader says that the address is theirs: from now on they are offered tickets. False when it was said before
    or the entry is over."""
    with transaction.atomic():
        if not move_many(WaitingEntry, [entry.pk], EntryState.ASKED, EntryState.WAITING):
            return False
        waiting_mails.joined(entry)
    return True


def leave(entry: WaitingEntry) -> bool:
    """Take oneself off the list; what one is offered goes to the next. False when they stood on it no more. An order
    that accepted an offer goes on."""
    return _take_off(entry, EntryState.LEFT, reasons.LEFT)


def remove(entry: WaitingEntry, *, note: str, actor: Any) -> bool:
    """The organiser takes somebody off the list and says why; the person is told. As `leave`."""
    return _take_off(entry, EntryState.REMOVED, reasons.REMOVED, actor=actor, note=note)


@once_more
def _take_off(entry: WaitingEntry, new: EntryState, reason: str, *, actor: Any = None, **values: Any) -> bool:
    at = clock.now()
    with transaction.atomic():
        reservations.lock_quotas(entry.event_id)  # an offer of the event's places may be made in this moment
        waiting_line.lock(entry.event_id)
        on_list = [str(state) for state in ON_LIST]
        moved = move_many(WaitingEntry, [entry.pk], on_list, new, reason, actor=actor, ended_at=at, **values)
        if not moved:
            return False
        entry.refresh_from_db()
        if entry.state not in (EntryState.SERVED, EntryState.OVER):
            waiting_mails.off_the_list(entry)
        for offer in entry.offers.select_related("entry__event").filter(state=OfferState.OPEN):
            waiting_offers.end(offer, OfferState.WITHDRAWN, reason)
    return True


def ahead(entry: WaitingEntry) -> int:
    """How many stand before this person."""
    return with_places(WaitingEntry.objects.filter(pk=entry.pk)).get().place - 1


def with_places(entries: QuerySet[WaitingEntry]) -> Any:
    """With `place`: which one each is on its list, the first being 1. In the same query."""
    before = WaitingEntry.objects.filter(event=OuterRef("event"), state=EntryState.WAITING, rank__lt=OuterRef("rank"))
    return entries.annotate(place=_number_of(before) + 1)


def _number_of(rows: QuerySet[Any]) -> Coalesce:
    """How many rows a subquery finds."""
    counted = rows.order_by().annotate(one=Value(1)).values("one").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


# --- What happens by itself ----------------------------------------------------------------------------------------


# Whether one of these orders accepted an offer, and whether one of their buyers stands on the event's list: nearly
# always neither, and it is asked of every order that is paid.
_CONCERNS = Statement(
    "waiting_concerns",
    ("bigint[]", "text[]"),
    """
SELECT EXISTS (SELECT FROM resale_waitingoffer WHERE order_id = ANY($1)),
    EXISTS (SELECT FROM resale_waitingentry entry
        JOIN ticketing_order o ON o.event_id = entry.event_id AND o.buyer_key = entry.buyer_key
        WHERE o.id = ANY($1) AND entry.state = ANY($2))
""",
)


def on_orders_moved(sender: Any, ids: Sequence[int], new: str, **_facts: Any) -> None:
    """An order that accepted an offer is decided, or somebody on a list has bought, there or elsewhere."""
    if new not in (OrderState.PAID, *waiting_offers.DEAD):
        return
    [(accepted, stands)] = _CONCERNS.run(list(ids), [str(state) for state in ON_LIST])
    if accepted:
        waiting_offers.settle(ids)
    if stands and new == OrderState.PAID:
        paid = Order.objects.filter(pk__in=ids, event=OuterRef("event"), buyer_key=OuterRef("buyer_key"))
        _count(_uncounted(_standing().filter(Exists(paid))))


# The lines an entry's person has paid since they joined, of the kinds they wait for, wherever they bought.
_BOUGHT = OrderLine.objects.filter(
    order__event=OuterRef("event"),
    order__buyer_key=OuterRef("buyer_key"),
    order__paid_at__gte=OuterRef("joined_at"),
    is_wanted=True,
    fulfilment__in=["issue", "resale"],
    ticket_type__waiting_entries=OuterRef("pk"),
)


def _uncounted(entries: QuerySet[WaitingEntry]) -> Any:
    """Those of them who have bought since they were last looked at, or have all they waited for, with `bought`: how
    many of those. One query."""
    counted = entries.annotate(bought=Least(_number_of(_BOUGHT), "quantity", output_field=IntegerField()))
    unlike = ~Q(bought=F("got")) | Q(got__gte=F("quantity"))
    return counted.filter(unlike).select_related("order").order_by("pk")


def _count(uncounted: Any) -> None:
    """Write down what they bought; who has all they waited for is off the list, and waits in the queue no more. Safe to
    repeat."""
    for entry in uncounted:
        if entry.bought != entry.got:
            WaitingEntry.objects.filter(pk=entry.pk).update(got=entry.bought)
        if entry.bought < entry.quantity:
            continue
        if entry.order is not None:  # first, so that what is cut off here is begun anew by the next sweep
            ordering.cancel(entry.order, reason=reasons.BOUGHT)
        _take_off(entry, EntryState.SERVED, reasons.BOUGHT)


def sweep(at: datetime) -> None:
    """What time ends, and what a lost signal left undone: every few seconds."""
    waiting_offers.lapse_due(at)
    waiting_offers.settle(waiting_offers.unsettled())
    for entry in _over(_standing(), at):
        _take_off(entry, EntryState.OVER, reasons.LIST_OVER)
    _count(_uncounted(_standing()))
    for event_id in sorted(set(_standing().filter(state=EntryState.WAITING).values_list("event_id", flat=True))):
        try:
            if waiting_places.could_take(event_id, at):
                lists.serve(event_id)
        except Exception as error:
            log.error("the waiting list of event %s cannot be served: %r", event_id, error)


def _over(entries: QuerySet[WaitingEntry], at: datetime) -> list[WaitingEntry]:
    """Those on a list that is over, as `waiting_line.closes_at` says of one event."""
    closed = entries.alias(closes=Coalesce("event__doors_at", "event__starts_at"))
    rows = closed.filter(Q(closes__lte=at) | Q(event__cancelled_at__isnull=False))
    return list(rows.order_by("pk")[:A_TURN])
