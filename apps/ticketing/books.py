"""What an event came to, read from the ledger alone: what was sold and sent back, and where that money is now.

Both halves of an event's books are sums over the same entries, and each posting sums to zero, so that they agree to the
unit by themselves; nothing is reckoned from prices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Sum

from apps.events.models import Event
from apps.ticketing.extensions import bearer_names
from apps.ticketing.models import Entry

Account = Entry.Account
SALES = ("captured",)
EARNED = (Account.REVENUE, Account.VAT)
NAMED: dict[str, str] = {
    Account.CLEARING: "to_pay_out",
    Account.DISPUTE: "disputed",
    Account.BUYER_REFUNDABLE: "owed_to_buyers",
    Account.SELLER_PAYABLE: "owed_to_sellers",
}


@dataclass
class Books:
    """One event in one currency, in minor units. Sums of what is sold are positive as the organiser gains by them;
    what is owed to others is negative."""

    currency: str
    sold: int = 0  # VAT included, from buyers and sponsors together
    sent_back: int = 0  # of that, refunded or lost; negative
    fees_kept: int = 0
    provider_fees: int = 0  # negative
    lost: int = 0  # in disputes; negative
    vat: dict[Decimal, int] = field(default_factory=dict)  # {rate: VAT to pay}, within what was sold and not sent back
    to_pay_out: int = 0  # what the provider holds, or has paid out
    sponsors: dict[str, int] = field(default_factory=dict)
    disputed: int = 0
    owed_to_buyers: int = 0
    owed_to_sellers: int = 0
    elsewhere: dict[str, int] = field(default_factory=dict)  # {account: what it holds}, of accounts not named above

    @property
    def earned(self) -> int:
        """What is left of the sales, VAT included, and the fees kept of refunds."""
        return self.sold + self.sent_back + self.fees_kept

    @property
    def vat_total(self) -> int:
        return sum(self.vat.values())

    @property
    def result(self) -> int:
        """What is left after the provider's fees and what was lost, VAT included: the sum of where the money is."""
        return self.earned + self.provider_fees + self.lost

    @property
    def result_without_vat(self) -> int:
        return self.result - self.vat_total

    @property
    def owed_by_sponsors(self) -> int:
        return sum(self.sponsors.values())

    @property
    def held(self) -> int:
        """Where the money is: with the provider, owed by sponsors, disputed, elsewhere, less what is owed to others."""
        owed = self.owed_to_buyers + self.owed_to_sellers
        return self.to_pay_out + self.owed_by_sponsors + self.disputed + owed + sum(self.elsewhere.values())

    @property
    def vat_shown(self) -> list[tuple[Decimal, int]]:
        return sorted((rate, minor) for rate, minor in self.vat.items() if minor)

    @property
    def elsewhere_shown(self) -> list[tuple[str, int]]:
        """(the account's name in words, what it holds)."""
        words = {str(value): str(label) for value, label in Account.choices}
        return sorted((words.get(account, account), minor) for account, minor in self.elsewhere.items() if minor)

    @property
    def sponsors_shown(self) -> list[tuple[str, int]]:
        owed = {bearer: minor for bearer, minor in self.sponsors.items() if minor}
        names = {bearer: name for entry in bearer_names for bearer, name in entry.names(owed).items()} if owed else {}
        return sorted((names.get(bearer, bearer), minor) for bearer, minor in owed.items())


def of_event(event: Event) -> list[Books]:
    """The event's books, one for each currency it was sold in; none while nothing is booked. One query."""
    rows = (
        Entry.objects.filter(posting__order__event=event)
        .exclude(account=Account.REVENUE)
        .values_list("currency", "account", "posting__kind", "detail")
        .annotate(minor=Sum("amount_minor"))
    )
    # Revenue carries its line's id as a detail: summed by itself, or there would be a row for each ticket.
    revenue = (
        Entry.objects.filter(posting__order__event=event, account=Account.REVENUE)
        .values_list("currency", "account", "posting__kind")
        .annotate(minor=Sum("amount_minor"))
    )
    books: dict[str, Books] = {}
    for currency, account, kind, detail, minor in [*rows, *((*row[:3], "", row[3]) for row in revenue)]:
        _add(books.setdefault(currency, Books(currency)), account, kind, detail, minor)
    return [books[currency] for currency in sorted(books)]


def _add(books: Books, account: str, kind: str, detail: str, minor: int) -> None:
    if account in EARNED:
        if kind in SALES:
            books.sold -= minor
        else:
            books.sent_back -= minor
        if account == Account.VAT:
            rate = Decimal(detail)
            books.vat[rate] = books.vat.get(rate, 0) - minor
    elif account == Account.SPONSOR_RECEIVABLE:
        books.sponsors[detail] = books.sponsors.get(detail, 0) + minor
    elif account in (Account.FEE, Account.SELLER_SHARE):  # what a seller gave up, once of each price and once of theirs
        books.fees_kept -= minor
    elif account == Account.PROVIDER_FEE:
        books.provider_fees -= minor
    elif account == Account.LOSS:
        books.lost -= minor
    elif account in NAMED:
        setattr(books, NAMED[account], getattr(books, NAMED[account]) + minor)
    else:
        books.elsewhere[account] = books.elsewhere.get(account, 0) + minor


HEAD = ("booked_at", "kind", "fact", "order", "account", "detail", "debit", "credit", "currency")


def entries(event: Event) -> Iterator[tuple[str, ...]]:
    """Every entry of the event for a spreadsheet, HEAD first, in the order they were booked; amounts with a point, and
    two decimals. Reads as it goes."""
    yield HEAD
    rows = (
        Entry.objects.filter(posting__order__event=event)
        .order_by("pk")
        .values_list(
            *("posting__booked_at", "posting__kind", "posting__fact", "posting__order__reference"),
            *("account", "detail", "amount_minor", "currency"),
        )
    )
    for at, kind, fact, order, account, detail, minor, currency in rows.iterator():
        debit, credit = (_amount(minor), "") if minor > 0 else ("", _amount(-minor))
        yield (at.isoformat(timespec="seconds"), kind, fact, order, account, plain(detail), debit, credit, currency)


def _amount(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula (a sponsor's name is somebody's to choose)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
