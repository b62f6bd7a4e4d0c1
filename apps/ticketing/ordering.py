"""A buyer's wish becomes an order: checked against the catalogue in memory, written in one statement, and queued.

Nothing is decided here. Stock, limits, gates and prices belong to the batch that serves the queue.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.ids import new_public_id
from apps.accounts.keyring import blind_index, normalise_email
from apps.accounts.prepared import Statement, fresh
from apps.accounts.request_ids import current_request_id
from apps.events.models import Event
from apps.ticketing import bell, catalogue, clock, reasons, reservations
from apps.ticketing.catalogue import Catalogue, TypeFacts
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.fulfilment import Issue
from apps.ticketing.models import Order, Payment
from apps.ticketing.models.orders import LIST, PAST_THE_SALE
from apps.ticketing.payments import settle
from apps.ticketing.retries import once_more
from apps.ticketing.states import ORDER_STANDS_IN_LINE, PAYMENT_LIVE, OrderState
from apps.ticketing.transitions import move_many

HIGHEST_NUMBER_OF_TICKETS = 50
LARGEST_PRICE_MINOR = 2_147_483_647
INSERTS = 3  # tries, when what is in the way of an order goes away by itself


@dataclass(frozen=True)
class WantedTicket:
    """One ticket a buyer asks for, with (choice id, quantity) pairs. `seen_minor` is what its type cost on the page
    they chose it from; the list price where nobody says. Of a ticket that somebody sells it is the whole price, and
    nothing is known where nobody says."""

    ticket_type_id: int
    choices: tuple[tuple[int, int], ...] = ()
    guest_name: str = ""
    fulfilment: str = "issue"
    subject: str = ""
    seen_minor: int | None = None
    defaults: frozenset[int] = frozenset()  # those of `choices` that its buyer left to the form


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a wish. `where` names the field: `email`, `tickets`, `type-<public id>` or
    `choice-<position>-<variation's public id>`; `message` is a sentence in the active language."""

    where: str
    reason: str
    message: str


class Refused(Exception):
    """The wish could not become an order; nothing was stored and no money moved. `problems` say why, field by field."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)


class AlreadyQueued(Refused):
    """This person has a place in the event's queue or draw already, `order`; nothing new was stored.

    For a guest the person is an address that anybody may type: show the order's link only to whoever is known to hold
    it (see `place_views`), and write to the address otherwise.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.reason = reasons.IN_DRAW if order.rank is None else reasons.IN_QUEUE
        super().__init__([Problem("email", self.reason, reasons.sentence(self.reason))])


def buyer_key(user: Any, email: str) -> str:
    """The keyed hash under which limits count: the account when signed in, else the normalised address."""
    if user is not None and user.is_authenticated:
        return blind_index("user", str(user.pk))
    return blind_index("email", normalise_email(email))


def place(
    *,
    event: Event,
    tickets: Sequence[WantedTicket],
    email: str,
    user: Any = None,
    idempotency_key: str,
    fewer_is_fine: bool = True,
    locale: str = "sv",
    tokens: Sequence[str] = (),
    channel: str = "web",
) -> Order:
    """Store an order as `queued` and ring the bell. One query: an INSERT of order, lines and choices, which looks at
    the time itself; one more where a choice that was left to the form has places of its own.

    The same key from the same buyer returns the order it made before; from anybody else it is refused. One place per
    person: raises AlreadyQueued while an order of theirs is queued, waiting or offered, unless this one is for tickets
    that somebody sells again (`channel` is `resale`) or that were kept for them (`list`). Raises Refused with every
    problem at once. Locks nothing. Next: queue.drain.
    """
    person = user if user is not None and user.is_authenticated else None
    facts = catalogue.load(event.pk)
    is_past_the_sale = channel in PAST_THE_SALE
    key = buyer_key(user, email)
    others = _gone_defaults(facts, tickets)
    if not 8 <= len(idempotency_key) <= 64:
        others.append(Problem("tickets", reasons.REFUSED, _("The form is incomplete. Load the page again.")))
    if others or _problems(facts, tickets, email, person, None, channel=channel):
        earlier = _order_of(idempotency_key) if len(idempotency_key) <= 64 else None
        if earlier and earlier.event_id == event.pk and earlier.buyer_key == key:
            return earlier  # a double submit that arrives after the sale has changed
        raise Refused(_problems(facts, tickets, email, person, clock.now(), channel=channel) + others)

    for _try in range(INSERTS):
        draw_id = facts.draw.id if facts.draw and not facts.draw.is_held and not is_past_the_sale else None
        try:
            placed = _insert(
                *(event, facts, tickets, email.strip(), person, key, idempotency_key, fewer_is_fine, locale, tokens),
                *(channel, draw_id, *_window(facts, tickets, channel)),
            )
        except IntegrityError:
            # Something that the catalogue in memory still has was removed a moment ago: a type, an answer, the draw.
            catalogue.forget()
            anew = catalogue.load(event.pk)
            if anew == facts:
                raise
            facts = anew
            problems = _problems(facts, tickets, email, person, clock.now(), channel=channel)
            if problems:
                raise Refused(problems) from None
            continue
        if placed is not None:
            crashpoint("order.placed")
            transaction.on_commit(lambda: bell.ring(event.pk))
            return placed
        earlier = _order_of(idempotency_key)  # the same form sent twice, maybe at once
        if earlier is not None:
            if earlier.buyer_key != key or earlier.event_id != event.pk:
                raise Refused([Problem("tickets", reasons.KEY_OF_ANOTHER, reasons.sentence(reasons.KEY_OF_ANOTHER))])
            return earlier
        if too_early_or_late := _problems(facts, tickets, email, person, clock.now(), channel=channel):
            raise Refused(too_early_or_late)
        standing = standing_order(event, key)
        if standing is not None:
            raise AlreadyQueued(standing)
        # What stood in the way is gone: it was left or decided a moment ago, or a reference was drawn twice.
    raise Refused([Problem("tickets", reasons.INTERNAL_ERROR, reasons.sentence(reasons.INTERNAL_ERROR))])


def standing_order(event: Event, key: str) -> Order | None:
    """The order with which a person, by their buyer key, stands in line for this event; the database allows one. Who
    takes over somebody's ticket, or a place that was kept for them, stands in no line."""
    in_line = Order.objects.filter(event=event, buyer_key=key, state__in=ORDER_STANDS_IN_LINE)
    return in_line.exclude(channel__in=PAST_THE_SALE).first()


def _order_of(idempotency_key: str) -> Order | None:
    return Order.objects.filter(idempotency_key=idempotency_key).first()


def _window(facts: Catalogue, tickets: Sequence[WantedTicket], channel: str) -> tuple[datetime | None, datetime]:
    """From when, if not always, and until when this may be ordered, as `_problems` would say at each moment."""
    kinds = [] if channel in PAST_THE_SALE else [facts.type(ticket.ticket_type_id) for ticket in tickets]
    opens = [kind.opens_at for kind in kinds if kind is not None and kind.opens_at is not None]
    closes = [kind.closes_at for kind in kinds if kind is not None and kind.closes_at is not None]
    return max(opens, default=None), min([*closes, facts.ends_at])


def _problems(
    facts: Catalogue, tickets: Sequence[WantedTicket], email: str, person: Any, at: datetime | None, *, channel: str
) -> list[Problem]:
    """What is wrong with a wish `at` this moment; without one, what is wrong at any."""
    found: list[Problem] = []
    try:
        validate_email(email.strip())
    except ValidationError:
        found.append(Problem("email", reasons.REFUSED, _("Write an e-mail address such as robin@example.org.")))
    if facts.sign_in_required and person is None:
        found.append(Problem("email", reasons.SIGN_IN_REQUIRED, reasons.sentence(reasons.SIGN_IN_REQUIRED)))
    if facts.is_cancelled:
        return [*found, Problem("tickets", reasons.EVENT_CANCELLED, reasons.sentence(reasons.EVENT_CANCELLED))]
    if at is not None and at >= facts.ends_at:
        return [*found, Problem("tickets", reasons.EVENT_OVER, reasons.sentence(reasons.EVENT_OVER))]
    if channel in PAST_THE_SALE:
        # The windows and minimums of a type are for whoever stands in line; limits per person are the queue's to say.
        return found + (_choices_problems(facts, tickets) if channel == LIST else [])
    if facts.is_ended:
        return [*found, Problem("tickets", reasons.SALE_ENDED, reasons.sentence(reasons.SALE_ENDED))]
    if not tickets:
        found.append(Problem("tickets", reasons.REFUSED, _("Choose at least one ticket.")))
    if len(tickets) > HIGHEST_NUMBER_OF_TICKETS:
        return [*found, Problem("tickets", reasons.LIMIT_PER_ORDER, reasons.sentence(reasons.LIMIT_PER_ORDER))]

    counts = Counter(ticket.ticket_type_id for ticket in tickets)
    for type_id, count in counts.items():
        chosen = facts.type(type_id)
        if chosen is None:
            found.append(Problem("tickets", reasons.NOT_ON_SALE, reasons.sentence(reasons.NOT_ON_SALE)))
            continue
        found += [Problem(f"type-{chosen.public_id}", *why) for why in _type_problems(chosen, count, at)]
        clash = next((other for other in counts if other in chosen.conflicts and other > type_id), None)
        if clash is not None:
            found.append(
                Problem(
                    f"type-{chosen.public_id}", reasons.CONFLICTING_TYPES, reasons.sentence(reasons.CONFLICTING_TYPES)
                )
            )
    if facts.max_per_person is not None and len(tickets) > facts.max_per_person:
        found.append(Problem("tickets", reasons.LIMIT_PER_PERSON, _too_many_for_one(facts.max_per_person)))
    return found + _choices_problems(facts, tickets)


def _choices_problems(facts: Catalogue, tickets: Sequence[WantedTicket]) -> list[Problem]:
    found: list[Problem] = []
    for position, ticket in enumerate(tickets):
        chosen = facts.type(ticket.ticket_type_id)
        if chosen is not None:
            found += _choice_problems(chosen, position, ticket)
    return found


def _gone_defaults(facts: Catalogue, tickets: Sequence[WantedTicket]) -> list[Problem]:
    """Choices that were left to the form, and are sold out while others are left: nobody shall wait for what they did
    not ask for. One query where any of them can sell out."""
    left_to_us = [
        (position, variation, choice)
        for position, ticket in enumerate(tickets)
        if ticket.defaults and (chosen := facts.type(ticket.ticket_type_id))
        for variation in chosen.variations
        for choice in variation.choices
        if choice.id in ticket.defaults and choice.quota_ids
    ]
    left = catalogue.stock(facts.event_id) if left_to_us else {}
    return [
        Problem(
            f"choice-{position}-{variation.public_id}",
            reasons.CHOICE_GONE,
            _("%(choice)s is sold out. Nothing was charged. Choose something else for this ticket.")
            % {"choice": choice.name},
        )
        for position, variation, choice in left_to_us
        if catalogue.is_sold_out(choice, left)
        and not all(catalogue.is_sold_out(other, left) for other in variation.choices)
    ]


def _too_many_for_one(limit: int) -> str:
    """What is said of an order that alone holds more tickets to the event than one person may have."""
    return ngettext(
        "At most %(limit)d ticket per person. No money was taken. Choose fewer.",
        "At most %(limit)d tickets per person. No money was taken. Choose fewer.",
        limit,
    ) % {"limit": limit}


def _type_problems(chosen: TypeFacts, count: int, at: datetime | None) -> list[tuple[str, str]]:
    found = []
    if at is not None and chosen.opens_at is not None and at < chosen.opens_at:
        found.append((reasons.NOT_YET_ON_SALE, reasons.sentence(reasons.NOT_YET_ON_SALE)))
    if at is not None and chosen.closes_at is not None and at >= chosen.closes_at:
        found.append((reasons.SALE_OVER, reasons.sentence(reasons.SALE_OVER)))
    if count > chosen.max_per_order:
        found.append(
            (
                reasons.LIMIT_PER_ORDER,
                ngettext(
                    "At most %(limit)d ticket of this kind per order.",
                    "At most %(limit)d tickets of this kind per order.",
                    chosen.max_per_order,
                )
                % {"limit": chosen.max_per_order},
            )
        )
    elif chosen.max_per_person is not None and count > chosen.max_per_person:
        found.append(
            (
                reasons.LIMIT_PER_PERSON,
                ngettext(
                    "At most %(limit)d ticket of this kind per person.",
                    "At most %(limit)d tickets of this kind per person.",
                    chosen.max_per_person,
                )
                % {"limit": chosen.max_per_person},
            )
        )
    if count < chosen.min_per_order:
        found.append(
            (
                reasons.BELOW_MINIMUM,
                ngettext(
                    "At least %(limit)d ticket of this kind per order.",
                    "At least %(limit)d tickets of this kind per order.",
                    chosen.min_per_order,
                )
                % {"limit": chosen.min_per_order},
            )
        )
    return found


def _choice_problems(chosen: TypeFacts, position: int, ticket: WantedTicket) -> list[Problem]:
    found: list[Problem] = []
    wanted: Counter[int] = Counter()
    for choice_id, quantity in ticket.choices:
        choice = chosen.choice(choice_id)
        if choice is None:
            return [Problem("tickets", reasons.CHOICE_GONE, reasons.sentence(reasons.CHOICE_GONE))]
        wanted[choice_id] += quantity
        if not 1 <= wanted[choice_id] <= choice.max_quantity:
            found.append(Problem("tickets", reasons.CHOICE_GONE, _("That is more of one choice than a ticket allows.")))
    for variation in chosen.variations:
        picked = sum(1 for choice in variation.choices if choice.id in wanted)
        if variation.is_mandatory and picked != 1:
            found.append(
                Problem(
                    f"choice-{position}-{variation.public_id}",
                    reasons.CHOICE_MISSING,
                    _("Choose %(what)s for ticket %(number)d.")
                    % {"what": variation.name.lower(), "number": position + 1},
                )
            )
    return found


_INSERT = Statement(
    "order_placed",
    (
        *("uuid", "bigint", "bigint", "text", "text", "text", "text", "text", "bigint", "text", "text", "text"),
        *("jsonb", "text", "boolean", "bigint", "text", "jsonb", "jsonb", "timestamptz", "timestamptz"),
    ),
    """
WITH placed AS (
    INSERT INTO ticketing_order (public_id, organisation_id, event_id, currency, reference, secret, idempotency_key,
        buyer_key, user_id, email, name, locale, tokens, channel, fewer_is_fine, draw_id, request_id, rank, queued_at,
        terms_version, state, reason, was_extended, tries, total_minor)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
        CASE WHEN $16 IS NULL THEN nextval('ticketing_rank') END, now.at, '', 'queued', '', false, 0, 0
    FROM (SELECT foyer_now() AS at) now
    WHERE ($20 IS NULL OR now.at >= $20) AND now.at < $21
    ON CONFLICT DO NOTHING
    RETURNING id, rank, queued_at
), wanted AS (
    INSERT INTO ticketing_orderline (public_id, order_id, position, ticket_type_id, fulfilment, subject, is_wanted,
        is_held, seen_minor, list_minor, price_minor, vat_percent, vat_minor, guest_name)
    SELECT line.public_id, placed.id, line.position, line.ticket_type_id, line.fulfilment, line.subject, true, false,
        line.seen_minor, 0, 0, 0, 0, line.guest_name
    FROM placed, jsonb_to_recordset($18) AS line(
        public_id uuid, position int, ticket_type_id bigint, fulfilment text, subject text, seen_minor int,
        guest_name text)
    RETURNING id, position
), chosen AS (
    INSERT INTO ticketing_linechoice (line_id, choice_id, quantity, delta_minor)
    SELECT wanted.id, choice.choice_id, choice.quantity, choice.delta_minor
    FROM wanted JOIN jsonb_to_recordset($19) AS choice(position int, choice_id bigint, quantity int, delta_minor int)
        ON choice.position = wanted.position
)
SELECT id, rank, queued_at FROM placed
""",
)
_WRITTEN = (
    *("public_id", "organisation_id", "event_id", "currency", "reference", "secret", "idempotency_key", "buyer_key"),
    *("user_id", "email", "name", "locale", "tokens", "channel", "fewer_is_fine", "draw_id", "request_id"),
)  # what is ours to say; the database says the rest


def _insert(
    event: Event,
    facts: Catalogue,
    tickets: Sequence[WantedTicket],
    email: str,
    person: Any,
    key: str,
    idempotency_key: str,
    fewer_is_fine: bool,
    locale: str,
    tokens: Sequence[str],
    channel: str,
    draw_id: int | None,
    opens_at: datetime | None,
    closes_at: datetime,
) -> Order | None:
    """The new order, written in one statement; None where something stood in the way, or the time was not right."""
    lines = [
        {
            "public_id": str(new_public_id()),
            "position": position,
            "ticket_type_id": ticket.ticket_type_id,
            "fulfilment": ticket.fulfilment,
            "subject": ticket.subject,
            "seen_minor": _seen(facts, ticket),
            "guest_name": ticket.guest_name,
        }
        for position, ticket in enumerate(tickets)
    ]
    choices = [
        {
            "position": position,
            "choice_id": choice_id,
            "quantity": quantity,
            "delta_minor": _costs_now(facts, ticket, choice_id),
        }
        for position, ticket in enumerate(tickets)
        for choice_id, quantity in sorted(_summed(ticket.choices).items())
    ]
    order = fresh(
        Order,
        organisation_id=facts.organisation_id,
        currency=facts.currency,
        idempotency_key=idempotency_key,
        buyer_key=key,
        user_id=getattr(person, "pk", None),
        email=email,
        name=getattr(person, "name", ""),
        locale=locale,
        tokens=list(tokens),
        channel=channel,
        fewer_is_fine=fewer_is_fine,
        draw_id=draw_id,
        request_id=current_request_id(),
    )
    order.event = event
    values = {name: getattr(order, name) for name in _WRITTEN} | {"tokens": json.dumps(order.tokens)}
    rows = _INSERT.run(*values.values(), json.dumps(lines), json.dumps(choices), opens_at, closes_at)
    if not rows:
        return None
    ((order.pk, order.rank, order.queued_at),) = rows
    order._state.adding = False
    return order


def _seen(facts: Catalogue, ticket: WantedTicket) -> int | None:
    """What the buyer was shown that this ticket costs with its choices; see shown_prices."""
    if ticket.fulfilment != Issue.slug:
        return ticket.seen_minor
    kind = facts.type(ticket.ticket_type_id)
    if kind is None:
        return None
    deltas = ((kind.choice(choice_id), quantity) for choice_id, quantity in ticket.choices)
    chosen = sum(choice.delta_minor * quantity for choice, quantity in deltas if choice is not None)
    price = kind.price_minor if ticket.seen_minor is None else ticket.seen_minor
    return min(max(0, price + chosen), LARGEST_PRICE_MINOR)


def _costs_now(facts: Catalogue, ticket: WantedTicket, choice_id: int) -> int:
    """What one piece of a choice changes the price by today; the queue writes it anew where that is another by then."""
    kind = facts.type(ticket.ticket_type_id) if ticket.fulfilment == Issue.slug else None
    choice = kind.choice(choice_id) if kind else None
    return choice.delta_minor if choice else 0


def _summed(choices: Sequence[tuple[int, int]]) -> dict[int, int]:
    counts: Counter[int] = Counter()
    for choice_id, quantity in choices:
        counts[choice_id] += quantity
    return dict(counts)


@once_more
def cancel(order: Order, *, reason: str = reasons.CANCELLED_BY_BUYER, actor: Any = None) -> bool:
    """Give up an unpaid order: its place is free at once. False when it was not in a state to be given up.

    Locks the order, then what it holds. A live payment is given up and closed at its provider; money that still comes
    is late money, which goes back.
    """
    with transaction.atomic():
        if move_many(
            Order, [order.pk], [OrderState.QUEUED, OrderState.WAITING], OrderState.CANCELLED, reason, actor=actor
        ):
            return True
        holds = [OrderState.OFFERED, OrderState.RESERVED]
        if not reservations.release([order.pk], holds, OrderState.CANCELLED, reason, actor=actor):
            return False
        for payment in Payment.objects.select_for_update(no_key=True).filter(order=order, state__in=PAYMENT_LIVE):
            settle.give_up(order, payment)
        return True
