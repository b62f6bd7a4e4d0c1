"""Every question ticketing asks of others. Plugins, ours or a stranger's, answer by registering an object here.

All calls happen inside the caller's transaction and take bulk arguments: `prepare` is called once per batch of up to
500 orders and may query a constant number of times; the per-order and per-line calls are pure. An error is the
caller's: the queue halves the batch until it finds the guilty order and rejects that one only.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from django.http import HttpRequest
from django.utils.functional import Promise

from apps.accounts.registry import Registry
from apps.ticketing.context import ContextLine, PurchaseContext

if TYPE_CHECKING:  # models are imported by whoever answers; this file stays importable before apps are ready
    from apps.events.models import Event, Organisation
    from apps.ticketing.models import Adjustment, Order, OrderLine, Payment, Refund, Ticket

ORGANISER = "organiser"
SELLER = "seller:"  # what follows is who gave up a part of a price when they sold their ticket


@dataclass(frozen=True)
class NamedAdjustment:
    """A change of one line's price, in minor units (negative lowers it), with its name and who pays for it.

    `is_provisional`: given while it is not known whether the buyer has a right to it; the door looks at a proof.
    """

    source: str
    label_sv: str
    label_en: str
    amount_minor: int
    bearer: str = ORGANISER
    is_provisional: bool = False  # given while the membership is not known: to be checked at the door

    @classmethod
    def of(cls, row: Adjustment | NamedAdjustment) -> NamedAdjustment:
        """An adjustment as it was frozen, or without what a rule knows of it besides."""
        return cls(row.source, row.label_sv, row.label_en, row.amount_minor, row.bearer, row.is_provisional)


class RightIsGone(Exception):
    """A limited right that `PriceRule.claim` was to use up is there no more. Nothing was taken."""


@dataclass(frozen=True)
class Why:
    """Why a price is what it is: `text` is a sentence in the active language. `gives` says that it lowers or raises the
    price; else it tells why something does not, and how one would get it. `signs_in`: by signing in."""

    text: str
    gives: bool = False
    signs_in: bool = False


class PriceRule(Protocol):
    """Changes prices by named adjustments; never sets one.

    Called when a page shows a price (`context.preview` or no `order_id`) and when a batch is reserved. Not called for
    refunds: they read the frozen rows.

    Called again, with `context.anew`, when something is learnt after the sale: then by the rules of the moment at which
    the price was frozen (`context.anew.frozen_at`), so that what its organiser has changed since changes nothing of it.

    More may be there: what `ExplainsPrices`, `GoesAlong`, `RestsOn` and `TakesCodes`, below, have.
    """

    slug: str

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> Any:
        """Whatever `adjustments` needs for all of `contexts`, in a constant number of queries."""

    def adjustments(self, context: PurchaseContext, line: ContextLine, answers: Any) -> Sequence[NamedAdjustment]:
        """The adjustments of one line. Pure."""

    def claim(self, order_lines: Mapping[int, Sequence[NamedAdjustment]]) -> None:
        """Use up limited rights for lines just reserved ({order line id: this rule's adjustments}). Locks its own
        counters by id, after quotas. Raises RightIsGone when one is used up. Not called for previews.

        Called again with the frozen adjustments, plain NamedAdjustments, when money comes late for a line that was
        released: then RightIsGone sends the money back."""

    def release(self, order_line_ids: Sequence[int]) -> None:
        """Give back what `claim` took, when holds end, tickets are refunded, or a line is priced anew (requoting),
        where `claim` may follow. Called at most once for what was claimed for a line."""

    def reprice(self, ticket: Ticket, context: PurchaseContext, answers: Any) -> Sequence[NamedAdjustment]:
        """This rule's adjustments of `ticket` when the buyer of `context` takes it over, on its frozen list price.

        What depends on the person is as for this buyer; of the rest a rule may let stand what is frozen on
        `ticket.line.adjustments` (of its source), or let it end with the first sale. What somebody paid more should
        stand: its payer is repaid. Called in place of `adjustments` for a line that sells a ticket again, one of
        `context.lines`, when a page shows its price and when it is reserved, where `claim` follows; and when it is
        given away (`context.is_gift`), where nothing is claimed, so that no limited right may be given. From the
        answers of `prepare`, like `adjustments`: pure. Not called for any other purchase."""


@runtime_checkable
class ExplainsPrices(Protocol):
    """What a PriceRule may bring as well: why a ticket costs what it costs, in sentences.

    Asked when a page shows a price to a buyer, and when a price is frozen: then in each language, for a batch of up to
    500 orders, and what does not change the price is kept with it for the order's page and mails. One that raises
    then is logged and says nothing; the price holds. Not called for a ticket that is sold again, nor for choices that
    are changed after the purchase: their prices are not made anew.
    """

    def explain(self, context: PurchaseContext, line: ContextLine, answers: Any) -> Sequence[Why]:
        """What is said below the price of one ticket, from the answers of `prepare`. Pure, and cheap where there is
        nothing to say."""


@runtime_checkable
class GoesAlong(Protocol):
    """What a PriceRule may bring as well: which of its reductions belong to the ticket and not to its buyer."""

    def goes_along(self, ticket: Ticket) -> int:
        """By how much (minor units, 0 or more) this rule's frozen adjustments lower the ticket's price whoever has it,
        such as an early bird's. Whom the ticket is given to owes nothing for that. Asked with
        `ticket.line.adjustments` fetched along."""


@runtime_checkable
class RestsOn(Protocol):
    """What a PriceRule may bring as well: which of its reductions a buyer loses the right to with what they lose."""

    def rests_on(self, event_id: int, rows: Sequence[Adjustment], words: Collection[str]) -> Sequence[Adjustment]:
        """Those of `rows`, frozen adjustments of its source, that were given for something in `words`, in this rule's
        own words. Called when it is true of the buyer no more, to have the door look. One rule that does not bring this
        marks nothing."""


@runtime_checkable
class TellsAlike(ExplainsPrices, Protocol):
    """What a rule that explains prices may bring as well, so that each sentence is made once for a crowd."""

    def told_alike(self, answers: Any) -> Mapping[int, Hashable]:
        """{line: what decides why this rule does not change its price}, from the answers of `prepare`. Lines with equal
        values are told the same, and those that are not in it are told nothing. Asked once when prices are frozen."""


@runtime_checkable
class TakesCodes(Protocol):
    """What a PriceRule may bring as well: it knows codes that buyers type (tokens that begin with `code:`).

    Asked when a ticket form is shown or sent. Not called when a batch is reserved: what a code does not open any
    more is then simply not given, and a price that has risen is asked about before it is paid.
    """

    def takes_codes(self, event_id: int) -> bool:
        """Whether the event's form asks for a code. Cheap."""

    def depends_on_order(self, event_id: int) -> bool:
        """Whether what one ticket costs depends on what else is ordered, so that the page asks while one chooses.
        Cheap."""

    def judge_codes(self, context: PurchaseContext) -> Mapping[str, str]:
        """{token: ""} of each code that this rule knows, or {token: a code from `reasons`} where it opens nothing now.
        A code that no rule names is unknown."""


@dataclass(frozen=True)
class Opinion:
    """What a gate thinks: allow, deny with a code from `reasons`, or nothing."""

    allows: bool | None = None
    reason: str = ""


ALLOW = Opinion(allows=True)
NO_OPINION = Opinion()


def deny(reason: str) -> Opinion:
    """The opinion of a gate that stays shut, for a reason whose code is registered in `reasons`."""
    return Opinion(allows=False, reason=reason)


class PurchaseGate(Protocol):
    """Opens or closes the door to buying. Any deny wins; a type that is not shown to everybody needs one allow.

    Called when a page shows what may be bought and when a batch is decided. Not called at payment or at the door.
    """

    slug: str

    def prepare(self, contexts: Sequence[PurchaseContext], at: datetime) -> Any:
        """Whatever `opinion` needs for all of `contexts`, in a constant number of queries."""

    def opinion(self, context: PurchaseContext, line: ContextLine, answers: Any) -> Opinion:
        """The opinion on one wanted ticket. Pure."""


@dataclass(frozen=True)
class Share:
    """Tickets that are for whoever shows a token: of which types, and how many are left of how many.

    `left_for_buyer` says how many more the person of the context may have. `set_aside` is how many places of each quota
    are kept for this share alone; whatever is not kept comes out of what everybody may buy. The reasons are codes from
    `reasons`: nothing left, fewer left than were asked for, and more than one person may have.
    """

    allotment: str
    key: int
    label: str
    ticket_type_ids: frozenset[int]
    size: int
    left: int
    left_for_buyer: int | None = None
    set_aside: Mapping[int, int] = field(default_factory=dict)
    used_up: str = ""
    too_few: str = ""
    per_person: str = ""

    @property
    def name(self) -> str:
        """What a line that takes from it remembers."""
        return f"{self.allotment}:{self.key}"

    @property
    def most(self) -> int:
        """How many more tickets this buyer may have of it."""
        return self.left if self.left_for_buyer is None else max(0, min(self.left, self.left_for_buyer))


@dataclass(frozen=True)
class Holding:
    """What the tokens of one context are worth: shares, and for each token that is worth nothing (any more) the code of
    the reason why."""

    shares: tuple[Share, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """What lines take from one share, or give back to it: tickets, and places by quota. Taken, they are those that were
    kept for the share; given back, all that the lines' types draw on."""

    tickets: int
    places: Mapping[int, int]


@dataclass(frozen=True)
class Kept:
    """The counters of an allotment, to be compared with ours: places kept by quota, tickets taken by share."""

    set_aside: Mapping[int, int]
    taken: Mapping[int, int]


class Allotment(Protocol):
    """Keeps tickets for those who show a token, such as a presale link: a type that is not shown to everybody is sold
    to them, and places may be set aside for them alone.

    Called when a page is shown to a visitor with tokens, and when a batch with such orders is decided, given back or
    recounted. Not called for buyers without tokens, at payment or at the door. Ticketing writes quotas and lines; the
    allotment writes its own counters alone, which are locked by id after quotas.
    """

    slug: str

    def holdings(self, contexts: Sequence[PurchaseContext], at: datetime, *, lock: bool) -> Sequence[Holding]:
        """What the tokens of each context are worth, in their order and in a constant number of queries. `lock`: the
        counters are locked until the transaction ends. A window is judged by `context.at`, a refusal by now."""

    def locked(self, keys: Iterable[int], at: datetime) -> Mapping[int, Share]:
        """The shares of these keys as they are now, over or not, locked: for money that came late."""

    def take(self, taken: Mapping[int, Taken]) -> None:
        """Count what was just reserved, by key."""

    def give_back(self, given: Mapping[int, Taken], at: datetime) -> Mapping[int, int]:
        """Count what was let go, by key, and say how many of its places are kept for the share again ({quota id:
        places}, never more than were given back); the rest is free for everybody. Quotas are locked by then."""

    def return_lapsed(self, event_id: int, at: datetime) -> None:
        """Give places kept for shares that are over back to everybody. A transaction of its own."""

    def kept(self, event_id: int | None = None) -> Kept:
        """Its counters, of one event or of all. Reads only."""

    def recount(self, event_id: int, taken: Mapping[int, int]) -> None:
        """Set its counters to `taken` ({key: tickets that count}), and keep no more places than that leaves. Quotas are
        locked by then, and theirs are written after."""


class Fulfilment(Protocol):
    """Sells something other than a new ticket. `issue` is ours; resale adds its own.

    `takes_stock` tells whether lines of this kind count against quotas. What a `subject` names is there once: the first
    order by rank that may have it gets it, and those behind are refused with `once_taken`, a code from `reasons`.
    """

    slug: str
    takes_stock: bool
    once_taken: str

    def refusals(self, lines: Sequence[OrderLine]) -> Mapping[int, str]:
        """{line id: reason} of lines that cannot have what their `subject` names, each judged as if alone. In bulk,
        inside the batch's transaction; locks it, by id, after orders and before quotas."""

    def reserve(self, lines: Sequence[OrderLine]) -> None:
        """Hold what these lines name: those of orders that were decided to have it, each named by one of them and
        refused by none. In the same transaction."""

    def fulfil(self, lines: Sequence[OrderLine]) -> Sequence[Ticket]:
        """Deliver paid lines of one order; repeating it delivers nothing twice. Inside a transaction."""

    def release(self, lines: Sequence[OrderLine]) -> None:
        """Let go of lines whose hold ended unpaid or whose ticket was refunded."""


@runtime_checkable
class SellsAgain(Protocol):
    """What a Fulfilment may bring as well: its lines sell tickets that somebody has.

    Such a line has the ticket's frozen list price and choices for its base, rules are asked to `reprice` it, and it is
    sold past the windows and the visibility of its type: gates and limits per person are asked all the same. Its order
    holds nothing else, has no extension of its hold and is never left waiting. Money that comes when `missing` names
    a reason, or after the hold, goes back.
    """

    def tickets_of(self, subjects: Sequence[str]) -> Mapping[str, Ticket]:
        """{subject: the ticket it sells}, with `line` and its adjustments and choices fetched. In a constant number of
        queries; a subject that names nothing is left out."""

    def buyers_of(self, ticket_ids: Sequence[int]) -> Mapping[int, Order]:
        """{ticket id: the order that holds it while its buyer pays}, each with its event. One query."""

    def missing(self, lines: Sequence[OrderLine]) -> str:
        """Why paid lines can no longer be delivered, as a code from `reasons`; empty when they can. Inside the
        transaction that settles the money; locks what they name."""


@dataclass(frozen=True)
class Started:
    """A payment that was opened at the provider. `redirect_url` is where the buyer goes; empty when they stay."""

    reference: str
    redirect_url: str = ""
    state: str = "action_needed"


@dataclass(frozen=True)
class Notice:
    """What a provider tells of one object: verified when it comes from `read_notice`, asked for when from `fetch`.

    `kind` is `payment`, `refund` or `dispute`; `state` one of ours (of a dispute: opened, won or lost); amounts in
    minor units. `our_id` is the public id of the payment, of the refund, or of the disputed payment. A payment that
    needs its buyer (`action_needed`) names a `reason` when a card was declined and another may be tried under it.
    `paid_with` says of a captured payment with what, in words that are the same in every language: a card as
    "Visa ···· 4242", never its whole number, anything else by its name, as "Swish". Empty where it is not told; what is
    beyond 60 characters is cut.
    """

    event_id: str
    kind: str
    reference: str
    state: str
    amount_minor: int
    currency: str
    our_id: str = ""
    reason: str = ""
    paid_with: str = ""


@dataclass(frozen=True)
class Transaction:
    """One movement on an organisation's account at a provider, as its statement has it.

    `kind` is `payment`, `refund`, `dispute` (taken back by the payer's bank), `dispute_won` (given back to us) or
    `payout` (to the organisation's own bank). `amount_minor` is what the account gained, negative for what it lost,
    before the provider's fee; `fee_minor` what the provider took for the movement. `object_reference` is the payment's,
    refund's or dispute's own reference there, `our_id` our public id of the payment or refund where it is known.
    """

    reference: str
    kind: str
    object_reference: str
    amount_minor: int
    currency: str
    at: datetime
    fee_minor: int = 0
    our_id: str = ""


class BadNotice(Exception):
    """A webhook that cannot be believed: wrong signature, too old, not ours. Answered 400; nothing is stored."""


class NothingToUs(Exception):
    """A webhook that is genuine and concerns nothing of ours: another kind of news, or money that we did not ask for.
    Answered 200, so that nobody sends it again; nothing is stored."""


class UnknownOutcome(Exception):
    """A call to a provider whose answer was lost (time-out, 5xx): it may or may not have happened."""


class NotLetIn(UnknownOutcome):
    """The provider does not know our key, or does not let us do this (any more): nothing was done by this call, and of
    an earlier one it says nothing."""


class AccountRefused(NotLetIn):
    """The provider does not let us on the seller's own account (any more): nothing will be done there by us."""


class ProviderRefused(Exception):
    """The provider said no and nothing moved. `reason` is a code from `reasons`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AccountsRefused(ProviderRefused):
    """What was told before is all, but for these `accounts`, which are not shown to us (any more)."""

    def __init__(self, reason: str, accounts: Sequence[str]) -> None:
        super().__init__(reason)
        self.accounts = tuple(accounts)


class PaymentProvider(Protocol):
    """Takes payment another way.

    `start`, `refund` and `fetch` speak to the network: they are called by the outbox, never inside a transaction, and
    must be safe to repeat with the same key. May raise UnknownOutcome or ProviderRefused. Not called for free orders.

    `starts_per_second` is how many payments the provider lets one organisation open in a second; None: any number.
    Buyers are let to the payment at that pace (see `pacing`); the setting PAYMENT_STARTS_PER_SECOND overrides it.

    More may be there. `is_offered_for(event) -> bool`: whether the organiser of `event` takes payment this way
    now; without it, every organiser does. `takes_days = True`: buyers send the money in their own time, so it neither
    sets a pace nor lifts one, and is not asked whether a payment has come. `chosen(order, payment, *, hold_time)` and
    `left(order, *, hold_time)`: a buyer chose this way for the order, or another instead of it. Called in the
    transaction that writes the payment, with the order locked, to set how long the places are held and to ask for
    mails; `hold_time` is what the clock of holds shows. Not called again for a payment that goes on.
    `account_of(order)` names the seller's own account there; it is kept on the payment. `fetch_refund(refund)` asks for
    the present state of a refund that is on its way, as `fetch` does for a payment. `find_refund(refund)` looks for one
    that may have been sent before, by what we named it: a Notice, or None when it is not there for certain; asked
    before a refund is tried again, so that it is sent once though its key is forgotten by then. TellsTransactions,
    TellsBalance and TellsDisputes, below.
    """

    slug: str
    label: Any
    starts_per_second: float | None

    def is_available(self, currency: str) -> bool:
        """Whether the provider can be offered now (keys set, currency taken). Cheap; no network."""

    def start(self, payment: Payment, *, key: str, return_url: str) -> Started:
        """Open the payment under the idempotency key."""

    def read_notice(self, request: HttpRequest) -> Notice:
        """Verify the raw body of a webhook and read it. Raises BadNotice, or NothingToUs."""

    def fetch(self, payment: Payment) -> Notice:
        """Ask for the present state of the payment."""

    def cancel(self, payment: Payment, *, key: str) -> Notice:
        """Close the payment if it is still open, and tell in which state it really is."""

    def refund(self, refund: Refund, *, key: str) -> Notice:
        """Send money back under the idempotency key."""


@runtime_checkable
class TellsTransactions(Protocol):
    """What a PaymentProvider may bring as well: the statement of an organisation's account, to compare our books with.

    Called once a day and by `manage.py reconcile`, outside any transaction. Not called for a purchase.
    """

    def transactions(self, organisation: Organisation, since: datetime) -> Iterable[Transaction]:
        """Every movement since that moment, in any order, each with a `reference` of its own. May raise
        UnknownOutcome, ProviderRefused where it shows us nothing (any more), or, after all movements of the other
        accounts, AccountsRefused."""


@runtime_checkable
class TellsBalance(Protocol):
    """What a PaymentProvider may have besides: it knows how much of an organisation's money lies ready there.

    Asked when the cancelling of an event is looked at, and before its orders are paid back. Not called for a single
    refund. Speaks to the network: never inside a transaction.
    """

    def balance(self, organisation: Organisation, currency: str, account: str = "") -> int | None:
        """Minor units that can be sent back now of what was paid on `account` (Payment.account); None where it keeps no
        balance for this organisation, so that nothing there is waited for. AccountRefused: nothing will be sent from
        there by us, so that what is ordered back becomes a debt. Any other error means that it is not known now:
        nothing is ordered back before it answers."""


@runtime_checkable
class TellsDisputes(Protocol):
    """What a PaymentProvider may tell when asked: the disputes of its payments, whose notices may be lost.

    Asked every five minutes, outside any transaction. Not called for a purchase.
    """

    def disputes(self, since: datetime) -> Iterable[Notice]:
        """Every dispute opened since that moment, as it stands now, on all accounts that payments were made on. May
        raise UnknownOutcome or ProviderRefused."""


class PreviewPerson(Protocol):
    """Somebody as whom an editor may look at a ticket block in the preview: who knows a code, or is a member.

    Called when an editor opens an event page or its preview. Not called for anybody's purchase.
    """

    slug: str

    @property
    def label(self) -> str | Promise:
        """A few words, such as "A member"; a plain attribute will do."""

    def dress(self, context: PurchaseContext) -> PurchaseContext:
        """`context`, a guest's, as such a person's: with an address or tokens that its plugin's gate and rule know.
        Of somebody made up, never of a person in the database: a preview must tell nothing of anybody."""


@runtime_checkable
class SeveralPersons(Protocol):
    """A PreviewPerson of whom there are several kinds at one event: members of this body and of that."""

    def variants(self, event_id: int) -> Sequence[tuple[str, str]]:
        """(a short word for it, its label in words) of each kind; none where there is but the one. Asked as `label`."""

    def dress_as(self, context: PurchaseContext, variant: str) -> PurchaseContext:
        """As `dress`, for the kind of that word, which comes from an address and may be any."""


class BearerNames(Protocol):
    """Says who stands behind a `bearer` of adjustments, such as a sponsor, in the words people use.

    Called when books are shown. Not called for a price, or for the ledger's file, which names bearers as booked.
    """

    slug: str

    def names(self, bearers: Iterable[str]) -> Mapping[str, str]:
        """{bearer: name} of those it knows. One query."""


class AuditWords(Protocol):
    """Says in words why rows were moved, where that is no reason to refuse anybody.

    Called when the desk shows what happened to an order. Not called when a row is moved.
    """

    slug: str

    def words(self) -> Mapping[str, Promise]:
        """{reason of a move: a few words}, translated when shown."""


@dataclass(frozen=True)
class Words:
    """What organisers and buyers read, in both languages; the wizard writes it into both columns or pages."""

    sv: str
    en: str

    def __getitem__(self, language: str) -> str:
        return self.en if language == "en" else self.sv


@dataclass(frozen=True)
class TicketSketch:
    """A ticket that a template proposes. Money in minor units; None is asked (of the first ticket) or is as the first.

    `places` of None are asked or shared likewise; a number makes a quota of the ticket's own.
    """

    key: str
    name: Words
    description: Words = Words("", "")
    price_minor: int | None = None
    places: int | None = None
    max_per_order: int = 6
    max_per_person: int | None = None
    is_resellable: bool = True


@dataclass(frozen=True)
class QuestionSketch:
    """What every guest chooses one answer to; no answer changes the price."""

    key: str
    name: Words
    answers: tuple[Words, ...]


@dataclass(frozen=True)
class EventTemplate:
    """A kind of event, as plain data: what the event wizard proposes, and its editor changes freely.

    Read when an organiser begins an event and when one is made from it. Not read afterwards: an event that was made
    knows nothing of its template.
    """

    slug: str
    name: Promise | str
    says: Promise | str  # one sentence for the organiser: when to take it and what it brings
    icon: str  # one of Wagtail's
    hours: int  # how long it is when no end is given
    tickets: tuple[TicketSketch, ...]
    text: Words  # the invitation: paragraphs with an empty line between them
    questions: tuple[QuestionSketch, ...] = ()
    notes: tuple[tuple[Words, Words], ...] = ()  # practical information: in bold, below
    faq: tuple[tuple[Words, Words], ...] = ()
    minimum_age: int | None = None
    vat_percent: int = 0
    motif: str = ""  # of the poster; empty: one drawn for the event


@dataclass(frozen=True)
class Act:
    """Something a ticket's holder may do with it, or what is going on with it: a link on its page. `says` is a sentence
    below it."""

    label: str
    url: str
    icon: str
    says: str = ""


class TicketActs(Protocol):
    """What else can be done with a ticket than to show it.

    Asked when a ticket's page is shown to whoever holds its link; of one that has a new owner, what became of it. Not
    called at the door, nor for a ticket that is blocked or was refunded.
    """

    slug: str

    def acts(self, ticket: Ticket, at: datetime) -> Sequence[Act]:
        """In a constant number of queries; reads only. Type, event, line and order of `ticket` are fetched."""


class WaitingList(Protocol):
    """Takes places that come back when nobody in line wants them, for those who wait without standing in line.

    Asked when places came back, after all waiting orders were looked at and before anybody new; also when the sale has
    ended. It keeps places by `reservations.set_aside` and sells them by an `Allotment`, in orders of the channel
    `list`. Pages of a sold-out event, and of orders that lost, lead to where one joins. Not called while a sale is
    paused, nor for a free place that never was taken.
    """

    slug: str

    def is_awaited(self, event_id: int) -> bool:
        """Whether anybody waits who could be offered a place. Cheap: asked within every batch with returns."""

    def take(self, event_id: int, at: datetime) -> None:
        """Keep what fits those who wait. In a transaction that holds the event's lock; locks the quotas itself."""

    def join_url(self, event: Event, at: datetime) -> str:
        """Where one joins the list of this event; empty when one cannot now."""

    def join_url_from(self, order: Order, at: datetime) -> str:
        """Where the buyer of an order that got no place joins with its rank; empty when they cannot, or stand there."""


class Market(Protocol):
    """Where tickets to an event are for sale by those who have them: pages of what is sold out or over lead there.

    Not called for the decision of an order, nor where there is a free place.
    """

    slug: str

    def url(self, event: Event) -> str:
        """Its page with what is for sale to this event, also when there is nothing."""

    def has_any(self, event: Event) -> bool:
        """Whether a stranger finds something there now; may be some seconds old. Asked for every visitor."""


price_rules: Registry[PriceRule] = Registry("ticketing.price_rules")
purchase_gates: Registry[PurchaseGate] = Registry("ticketing.purchase_gates")
allotments: Registry[Allotment] = Registry("ticketing.allotments")
fulfilments: Registry[Fulfilment] = Registry("ticketing.fulfilments")
payment_providers: Registry[PaymentProvider] = Registry("ticketing.payment_providers")
preview_persons: Registry[PreviewPerson] = Registry("ticketing.preview_persons")
bearer_names: Registry[BearerNames] = Registry("ticketing.bearer_names")
audit_words: Registry[AuditWords] = Registry("ticketing.audit_words")
event_templates: Registry[EventTemplate] = Registry("ticketing.event_templates")
ticket_acts: Registry[TicketActs] = Registry("ticketing.ticket_acts")
waiting_lists: Registry[WaitingList] = Registry("ticketing.waiting_lists")
markets: Registry[Market] = Registry("ticketing.markets")
