"""Rows of a bank's file beside the payments that wait for money: what each of them means, in a sentence, before
anything is done; then carrying out those that a treasurer confirmed, each once however often the file is sent.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.events.wording import write_moment, write_money
from apps.ticketing import bank_files, bank_parts, clock, transfers
from apps.ticketing.account_numbers import is_checked
from apps.ticketing.bank_files import Row
from apps.ticketing.models import BankRow, Payment
from apps.ticketing.payments import manual, settle
from apps.ticketing.retries import once_more
from apps.ticketing.states import OrderState, PaymentState

_ORDER_REFERENCE = re.compile(r"(?<![0-9A-Z])[0-9A-Z]{8}(?![0-9A-Z])")


class Meaning(TextChoices):
    """What a row means."""

    MATCH = "match", gettext_lazy("Pays an order")
    PART = "part", gettext_lazy("Pays a part")
    MORE = "more", gettext_lazy("Too much")
    LATE = "late", gettext_lazy("Too late")
    SECOND = "second", gettext_lazy("Paid twice")
    KEPT = "kept", gettext_lazy("A part, the rest is missing")
    WAITS = "waits", gettext_lazy("Waits for the rest")
    LESS = "less", gettext_lazy("Too little")
    READ = "read", gettext_lazy("Done before")
    PAID = "paid", gettext_lazy("Paid already")
    REPEATED = "repeated", gettext_lazy("Twice in this file")
    SEVERAL = "several", gettext_lazy("Several references")
    CURRENCY = "currency", gettext_lazy("Other currency")
    UNKNOWN = "unknown", gettext_lazy("No reference")
    UNREADABLE = "unreadable", gettext_lazy("Unreadable")


# What is carried out when the treasurer confirms; all else is told and left alone.
PAYS = (Meaning.MATCH, Meaning.PART, Meaning.MORE, Meaning.LATE, Meaning.SECOND)
DOES_SOMETHING = (*PAYS, Meaning.KEPT)
NEEDS_A_LOOK = (
    *(Meaning.KEPT, Meaning.WAITS, Meaning.LESS, Meaning.REPEATED),
    *(Meaning.SEVERAL, Meaning.CURRENCY, Meaning.UNREADABLE),
)


@dataclass(frozen=True)
class Found:
    """One row, the payment it is for, if any, and what it means. `sentence` says what is or is not done about it."""

    row: Row
    meaning: Meaning
    sentence: str
    payment: Payment | None = None

    @property
    def amount(self) -> str:
        """As it is written; empty where it could not be read."""
        currency = self.payment.currency if self.payment else self.row.currency
        return write_money(self.row.amount_minor, currency or "SEK") if self.row.amount_minor else ""

    @property
    def does_something(self) -> bool:
        return self.meaning in DOES_SOMETHING

    @property
    def needs_a_look(self) -> bool:
        return self.meaning in NEEDS_A_LOOK


def match(rows: Sequence[Row], *, among: QuerySet[Payment]) -> list[Found]:
    """What each row means, in the order of the file. `among` are the payments that the reader may see.

    Reads only, a constant number of queries. A row finds its payment by the payment's reference, else by the order's.
    Rows that are too little alone pay in parts once they are enough together, with those of earlier files.
    """
    payments = _Payments(rows, among)
    met: set[int] = set()
    found = [_found(row, payments, met) for row in rows]
    parts: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        if one.meaning == Meaning.LESS and one.payment is not None and one.payment.pk not in met:
            parts[one.payment.pk].append(one)
    together = {pk: _Together.of(rows, payments.waiting[pk]) for pk, rows in parts.items()}
    return [_part(one, together) for one in found]


@dataclass(frozen=True)
class _Together:
    """What came for one payment in parts: so many `rows` of this file, their sum, and what waits from earlier ones.
    `known` are the fingerprints of all that waits."""

    rows: int
    here_minor: int
    before_minor: int
    known: frozenset[str]

    @classmethod
    def of(cls, rows: Sequence[Found], waiting: Mapping[str, int]) -> _Together:
        here = {one.row.fingerprint for one in rows}
        before = sum(minor for fingerprint, minor in waiting.items() if fingerprint not in here)
        return cls(len(rows), sum(one.row.amount_minor for one in rows), before, frozenset(waiting))

    @property
    def sum_minor(self) -> int:
        return self.here_minor + self.before_minor


def _part(one: Found, together: Mapping[int, _Together]) -> Found:
    """A row that is too little alone, as one of the parts that came for its order; any other as it is."""
    if one.meaning != Meaning.LESS or one.payment is None or one.payment.pk not in together:
        return one
    order, parts = one.payment.order, together[one.payment.pk]
    words = {
        "order": order.reference,
        "rows": parts.rows,
        "before": write_money(parts.before_minor, order.currency),
        "sum": write_money(parts.sum_minor, order.currency),
        "price": write_money(order.total_minor, order.currency),
        "off": write_money(abs(parts.sum_minor - order.total_minor), order.currency),
    }
    if parts.sum_minor < order.total_minor:
        return _missing(one, words, is_known=one.row.fingerprint in parts.known)
    sentence = _("%(rows)s rows of this file pay for %(order)s together, %(sum)s: it is paid and its tickets go out.")
    if parts.before_minor:
        sentence = _("With %(before)s that came before, %(order)s is paid, %(sum)s in all, and its tickets go out.")
    more = _("%(off)s too much go onto the list to pay back.") if parts.sum_minor > order.total_minor else ""
    return replace(one, meaning=Meaning.PART, sentence=f"{sentence} {more}".strip() % words)


def _missing(one: Found, words: dict[str, Any], *, is_known: bool) -> Found:
    """A part whose rest has not come. One for an order that is over by now is not kept, and stays as it is."""
    if one.payment is None or one.payment.order.state != OrderState.RESERVED:
        return one
    if is_known:
        sentence = _("%(sum)s of %(price)s has come for %(order)s in parts: %(off)s is missing still. Nothing is done"
                     " again; open it to ask for the rest.")  # fmt: skip
        return replace(one, meaning=Meaning.WAITS, sentence=sentence % words)
    sentence = _("%(sum)s of %(price)s has come for %(order)s: %(off)s is missing. This is remembered, and counts with"
                 " the rest once that stands in a file; open it to ask for the rest.")  # fmt: skip
    return replace(one, meaning=Meaning.KEPT, sentence=sentence % words)


class _Payments:
    """The manual payments that any of the rows may speak of."""

    def __init__(self, rows: Sequence[Row], among: QuerySet[Payment]) -> None:
        texts = [row.text for row in rows]
        numbers = {number for text in texts for number in _numbers(text)}
        names = {name for text in texts for name in _ORDER_REFERENCE.findall(text.upper())}
        mine = among.filter(manual.IS_MANUAL).exclude(provider_reference__contains="+").select_related("order__event")
        self._by_number: dict[str, list[Payment]] = defaultdict(list)
        for payment in mine.filter(provider_reference__in=numbers):
            self._by_number[payment.provider_reference].append(payment)
        self._by_order: dict[str, Payment] = {}
        for payment in mine.filter(order__reference__in=names).order_by("pk"):
            kept = self._by_order.get(payment.order.reference)
            if kept is None or kept.state != PaymentState.CAPTURED:
                self._by_order[payment.order.reference] = payment  # the one that was paid, else the newest
        prints = [row.fingerprint for row in rows if row.fingerprint]
        organisations = {payment.order.organisation_id for payment in self._all()}
        done = BankRow.objects.filter(is_part=False)
        read = done.filter(organisation__in=organisations, fingerprint__in=prints).select_related("read_by")
        self.read = {(row.organisation_id, row.fingerprint): row for row in read}
        ids = [payment.pk for payment in self._all()]
        self.with_row = set(done.filter(payment__in=ids).values_list("payment_id", flat=True))
        self.waiting = bank_parts.waiting(ids)

    def _all(self) -> Iterator[Payment]:
        for found in self._by_number.values():
            yield from found
        yield from self._by_order.values()

    def named_in(self, text: str) -> list[Payment]:
        found = {payment.pk: payment for number in _numbers(text) for payment in self._by_number.get(number, ())}
        if not found:
            names = _ORDER_REFERENCE.findall(text.upper())
            found = {self._by_order[name].pk: self._by_order[name] for name in names if name in self._by_order}
        return list(found.values())


def _numbers(text: str) -> Iterator[str]:
    found = bank_files.references(text, digits=manual.REFERENCE_DIGITS + 1)
    return (number for number in found if is_checked(number))


def _found(row: Row, payments: _Payments, met: set[int]) -> Found:
    if row.problem:
        return Found(row, Meaning.UNREADABLE, f"{row.problem} {_('Nothing is done about this row.')}")
    named = payments.named_in(row.text)
    if not named:
        return Found(row, Meaning.UNKNOWN, _("No order of yours has a reference that stands here. Nothing is done."))
    if len(named) > 1:
        orders = ", ".join(sorted({payment.order.reference for payment in named}))
        sentence = _("It names several orders: %(orders)s. Nothing is done; approve each by hand.")
        return Found(row, Meaning.SEVERAL, sentence % {"orders": orders})
    payment = named[0]
    meaning, sentence = _meaning(row, payment, payments, is_met=payment.pk in met)
    if meaning in PAYS:
        met.add(payment.pk)
    return Found(row, meaning, sentence, payment)


def _meaning(row: Row, payment: Payment, payments: _Payments, *, is_met: bool) -> tuple[Meaning, str]:
    order = payment.order
    is_payable = order.state in transfers.PAYABLE
    came_minor = row.amount_minor
    if payment.state != PaymentState.CAPTURED and not (is_payable and came_minor < order.total_minor):
        parts = payments.waiting[payment.pk]  # they are settled together with a row that is no part itself
        came_minor += sum(minor for fingerprint, minor in parts.items() if fingerprint != row.fingerprint)
    words = {
        "order": order.reference,
        "amount": write_money(came_minor, payment.currency),
        "price": write_money(order.total_minor, order.currency),
        "off": write_money(abs(order.total_minor - came_minor), order.currency),
    }
    read = payments.read.get((order.organisation_id, row.fingerprint))
    if read is not None:
        sentence = _("This row was carried out %(when)s by %(who)s. Nothing is done again.")
        who = str(read.read_by) if read.read_by else _("somebody who has left")
        return Meaning.READ, sentence % {"when": write_moment(read.read_at, order.event.zone), "who": who}
    if row.currency and row.currency != payment.currency:
        sentence = _("%(order)s is paid in %(wanted)s, and this is %(came)s. Nothing is done.")
        return Meaning.CURRENCY, sentence % {**words, "wanted": payment.currency, "came": row.currency[:10]}
    if is_met:
        sentence = _("Another row of this file is for %(order)s already. Nothing is done about this one; look whether"
                     " it was paid twice.")  # fmt: skip
        return Meaning.REPEATED, sentence % words
    if payment.state == PaymentState.CAPTURED:
        return _paid_already(payment, payments, words)
    if not is_payable:
        sentence = _("%(order)s does not wait for money any more. All %(amount)s go onto the list to pay back.")
        return Meaning.LATE, sentence % words
    if row.amount_minor < order.total_minor:
        sentence = _("%(amount)s of %(price)s for %(order)s: %(off)s is missing. Nothing is done; open it to ask for"
                     " the rest or to pay it back.")  # fmt: skip
        return Meaning.LESS, sentence % words
    more = ""
    if came_minor > order.total_minor:
        more = _("%(off)s too much go onto the list to pay back.") % words
    if order.state == OrderState.EXPIRED:
        sentence = _("The time for %(order)s is over. It gets its places if there are any left, otherwise all"
                     " %(amount)s go onto the list to pay back.")  # fmt: skip
        return Meaning.LATE, f"{sentence % words} {more}".strip()
    if more:
        return Meaning.MORE, f"{_('%(order)s is paid and its tickets go out.') % words} {more}"
    return Meaning.MATCH, _("%(order)s is paid and its tickets go out.") % words


def _paid_already(payment: Payment, payments: _Payments, words: dict[str, str]) -> tuple[Meaning, str]:
    """Approved from another row: money came twice. Approved by hand: in all likelihood this row is that money."""
    if payment.pk in payments.with_row:
        sentence = _("%(order)s was paid by another row before, so this money came a second time. All %(amount)s go"
                     " onto the list to pay back.")  # fmt: skip
        return Meaning.SECOND, sentence % words
    entry = transfers.last_word(payment)
    when = write_moment(entry.at, payment.order.event.zone) if entry else ""
    who = str(entry.actor) if entry and entry.actor else _("somebody who has left")
    sentence = _("%(order)s was approved by hand %(when)s by %(who)s. Nothing is done.")
    return Meaning.PAID, sentence % {**words, "when": when, "who": who}


@dataclass(frozen=True)
class Confirmed:
    """A row that a treasurer has seen and confirmed. `meaning` is what they were told it means."""

    payment: str  # public id
    amount_minor: int
    on: date
    fingerprint: str
    meaning: str


@dataclass
class Carried:
    """What became of the rows: orders paid, and how much is owed back, in minor units by currency."""

    paid: list[str] = field(default_factory=list)
    owed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    kept: int = 0  # rows remembered as a part, until the rest has come
    skipped: list[str] = field(default_factory=list)  # order references: done meanwhile, or not as it was shown


def carry_out(rows: Iterable[Confirmed], *, among: QuerySet[Payment], actor: Any) -> Carried:
    """Do what was confirmed, each row in a transaction of its own, parts of one payment together. A row done before, by
    anybody, is skipped, and so is one that does not mean any more what was shown. Next: settle, for each."""
    done = Carried()
    for together in _together(rows):
        payment = among.filter(manual.IS_MANUAL, public_id=together[0].payment).select_related("order").first()
        if payment is None:
            continue
        if together[0].meaning == Meaning.KEPT and _keep(payment, together[0], actor):
            done.kept += 1
            continue
        approved = _carry_out(payment, together, actor)
        if approved is None:
            done.skipped.append(payment.order.reference)
            continue
        if approved.is_paid:
            done.paid.append(payment.order.reference)
        if approved.owed_minor:
            done.owed[payment.currency] += approved.owed_minor
    return done


def _together(rows: Iterable[Confirmed]) -> list[list[Confirmed]]:
    """The rows that are carried out at once: parts of one payment, and every other by itself."""
    found: dict[object, list[Confirmed]] = defaultdict(list)
    for row in rows:
        found[row.payment if row.meaning == Meaning.PART else row].append(row)
    return list(found.values())


@once_more
def _carry_out(payment: Payment, rows: Sequence[Confirmed], actor: Any) -> transfers.Approved | None:
    with transaction.atomic():
        order, payment = settle.lock(payment)
        is_captured = payment.state == PaymentState.CAPTURED
        if is_captured != (rows[0].meaning == Meaning.SECOND) or rows[0].meaning == Meaning.KEPT:
            return None
        if not all(_note(payment, order.organisation_id, row, actor) for row in rows):
            transaction.set_rollback(True)
            return None
        received = sum(row.amount_minor for row in rows)
        if is_captured:
            return transfers.book_again(payment, received_minor=received, actor=actor)
        try:
            return bank_parts.approve(payment, received_minor=received, actor=actor)
        except transfers.TooLittle:
            transaction.set_rollback(True)  # the row is not done: it stands there when the file is sent again
            return None


@once_more
def _keep(payment: Payment, row: Confirmed, actor: Any) -> bool:
    """Remember a part; False, changing nothing, when it is known, or is no part any more: paid, over, or enough."""
    with transaction.atomic():
        order, payment = settle.lock(payment)
        came = row.amount_minor + bank_parts.minor_of(payment)
        if order.state != OrderState.RESERVED or payment.state == PaymentState.CAPTURED or came >= order.total_minor:
            return False
        return _note(payment, order.organisation_id, row, actor, is_part=True)


def _note(payment: Payment, organisation_id: int, row: Confirmed, actor: Any, *, is_part: bool = False) -> bool:
    """Write down that the row is carried out, or waits as a part; False when it was, or did, before."""
    noted, is_new = BankRow.objects.get_or_create(
        organisation_id=organisation_id,
        fingerprint=row.fingerprint,
        defaults={
            "payment": payment,
            "amount_minor": row.amount_minor,
            "currency": payment.currency,
            "booked_on": row.on,
            "read_by": actor,
            "read_at": clock.now(),
            "is_part": is_part,
        },
    )
    if is_new or is_part or not noted.is_part:
        return is_new
    noted.is_part = False
    noted.save(update_fields=["is_part"])
    return True
