"""Pausing, resuming, moving and ending a whole sale, with a sentence that every open page shows within five seconds.

    paused    nothing is decided, ranks stay, the clocks of holds stand still; one may join the queue, leave it, and pay
    moved     the same until the new opening, when the sale opens by itself; until then nobody can join
    resumed   the clocks run on from where they stood, and the queue is served
    ended     whoever is in line is turned away; holds may still be paid; nothing new is sold until it is opened again

A change is made under the event's lock, under which the queue decides, and the queue looks at the change in force once
it has that lock: when a verb here has returned, no order is decided against it. Hold times are kept as moments, so
whoever judges one asks `Standing.hold_time`, and a stop that ends moves them on by its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from apps.accounts.kept import Kept
from apps.accounts.prepared import Rows
from apps.accounts.request_ids import current_request_id
from apps.events import page_cache, wording
from apps.events.models import Event
from apps.events.translated import pick
from apps.ticketing import bell, catalogue, clock, event_lock, live
from apps.ticketing.models import Draw, SaleChange, TicketType
from apps.ticketing.retries import once_more

Kind = SaleChange.Kind
STOPS = (Kind.PAUSED, Kind.MOVED)
SHOWN_KEPT_SECONDS = 1.0
# For so long the sentence of a sale that goes on again is shown to whoever comes.
RESUMED_SHOWN = timedelta(minutes=10)


class CannotChange(Exception):
    """The sale cannot be changed that way now; nothing was changed. `sentence` says why, `field` where it belongs."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field


class ChangedMeanwhile(CannotChange):
    """Somebody else changed the sale after it was looked at. Nothing was changed."""


@dataclass(frozen=True)
class Standing:
    """What holds for a sale. `number` 0 and no kind: nobody ever changed it, and it sells as its ticket types say."""

    number: int = 0
    kind: str = ""
    since: datetime | None = None
    opens_at: datetime | None = None
    say_sv: str = ""
    say_en: str = ""

    @property
    def stops(self) -> bool:
        """Whether nothing may be decided. A move stops until somebody has opened the sale: see `open_if_due`."""
        return self.kind in STOPS

    @property
    def is_ended(self) -> bool:
        return self.kind == Kind.ENDED

    @property
    def say(self) -> str:
        """The sentence in the active language."""
        return pick(self.say_sv, self.say_en)

    def is_due(self, at: datetime) -> bool:
        """Whether a move has reached its opening."""
        return self.kind == Kind.MOVED and self.opens_at is not None and self.opens_at <= at

    def stands_still(self, at: datetime) -> bool:
        """Whether the clocks of holds stand at the moment `at`."""
        return self.stops and not self.is_due(at)

    def hold_time(self, at: datetime) -> datetime:
        """What the clocks of holds show at the moment `at`: the time less how long this stop has lasted."""
        if not self.stops or self.since is None:
            return at
        stopped_until = min(at, self.opens_at) if self.opens_at else at
        return at - max(timedelta(0), stopped_until - self.since)

    def told(self, at: datetime) -> str:
        """Which notice pages show at the moment `at`: paused, moved, ended, resumed, or none."""
        if self.kind == Kind.MOVED and self.is_due(at):
            return ""
        if self.kind == Kind.RESUMED:
            is_news = self.since is not None and at - self.since < RESUMED_SHOWN
            return str(Kind.RESUMED) if is_news and self.say else ""
        return self.kind

    def news(self, at: datetime) -> dict[str, Any]:
        """What open pages are told (sale.js): texts in both languages, because one message goes to everybody."""
        state = self.told(at) or ("resumed" if self.number else "")
        return {"number": self.number, "state": state, "sv": pick(self.say_sv, self.say_en, "sv"),
                "en": pick(self.say_sv, self.say_en, "en"),
                "opens_at": self.opens_at.isoformat() if self.opens_at else ""}  # fmt: skip


PLAIN = Standing()


def _standing(row: SaleChange | None) -> Standing:
    if row is None:
        return PLAIN
    return Standing(row.number, row.kind, row.at, row.opens_at, row.say_sv, row.say_en)


_last_word = Rows("sale_change_in_force", SaleChange, ("bigint",), "WHERE r.event_id = $1 AND r.until IS NULL")


def state_of(event_id: int) -> Standing:
    """What holds for the sale of one event now. One query; locks nothing.

    Whoever judges a hold by it locks the order first: then a stop that ended has moved that order already.
    """
    return _standing(_last_word.first(event_id))


# The same for pages, at most a second old.
shown: Kept[int, Standing] = Kept(state_of, seconds=SHOWN_KEPT_SECONDS)


def forget() -> None:
    """Read every standing and catalogue anew in this process."""
    shown.forget()
    catalogue.forget()


def is_stopped(event_field: str = "event_id") -> Exists:
    """A condition on rows of an event: its sale stands still, and no clock of a hold runs."""
    changes = SaleChange.objects.filter(event_id=OuterRef(event_field), until__isnull=True, kind__in=STOPS)
    return Exists(changes)


def stood_still(event_id: int, *, since: datetime) -> timedelta:
    """How long the clocks of holds have stood since the moment `since`, in stops that are over. One query."""
    ended = SaleChange.objects.filter(event_id=event_id, kind__in=STOPS, until__gt=since)
    stops = ended.values_list("at", "until")
    return sum((until - max(at, since) for at, until in stops if until is not None), timedelta(0))


# --- The verbs -----------------------------------------------------------------------------------------------------


def pause(event: Event, *, say_sv: str = "", say_en: str = "", actor: Any = None, seen: int | None = None) -> Standing:
    """Stop a sale now. When this returns no order of the event is decided and no hold runs out until it goes on.

    `seen` is the number of the change that the caller looked at (None: whatever holds). Raises CannotChange, or
    ChangedMeanwhile when another change came first. Locks the event's queue, waiting for a batch under way. Payments
    under way finish, and buyers may leave, pay, and join the queue. Next: resume, move or end.
    """
    return _change(event, Kind.PAUSED, say_sv=say_sv, say_en=say_en, actor=actor, seen=seen)


def resume(event: Event, *, say_sv: str = "", say_en: str = "", actor: Any = None, seen: int | None = None) -> Standing:
    """Let a paused sale go on, or open one that was ended: ranks are as they were, holds have the time they had left.

    Who was turned away when the sale ended stays so. Raises as `pause`. Locks the event's queue, then its held orders
    by id. Next: the queue is rung.
    """
    return _change(event, Kind.RESUMED, say_sv=say_sv, say_en=say_en, actor=actor, seen=seen)


def move(
    event: Event,
    *,
    opens_at: datetime,
    say_sv: str = "",
    say_en: str = "",
    actor: Any = None,
    seen: int | None = None,
) -> Standing:
    """Move the opening of a sale to `opens_at`, whether it has opened already or not; it then opens by itself.

    Tickets that were to open first, or before that moment, open then; those that open later keep their time. Whoever
    is in line keeps the rank and is served from then on. Raises CannotChange for a moment that is past, after the
    event's end, or at which a ticket's sale or an open draw closes. Locks as `resume`. Next: `open_if_due`.
    """
    return _change(event, Kind.MOVED, say_sv=say_sv, say_en=say_en, actor=actor, seen=seen, opens_at=opens_at)


def end(event: Event, *, say_sv: str = "", say_en: str = "", actor: Any = None, seen: int | None = None) -> Standing:
    """End a sale: nothing new is sold, and everybody in line is turned away with the sentence. Holds may still be paid.

    May be opened again by `resume` or `move`; those turned away stay so. Raises as `pause`. Locks as `resume`.
    Next: the queue is rung, and turns away (`queue.drain`).
    """
    return _change(event, Kind.ENDED, say_sv=say_sv, say_en=say_en, actor=actor, seen=seen)


def open_if_due(event_id: int) -> Standing:
    """Open a moved sale whose moment has come, and return what holds now. Safe in several processes at once.

    The stop ends at the promised moment, however late this is called. One query where nothing is due.
    """
    standing = state_of(event_id)
    if standing.kind != Kind.MOVED or not standing.is_due(clock.now()):
        return standing
    event = Event.objects.get(pk=event_id)
    with transaction.atomic():
        event_lock.take(event_id)
        row = _open_due(event, _in_force(event), clock.now())
    forget()
    return _standing(row)


def open_due() -> None:
    """Open every moved sale whose moment has come, and tell stopped ones again. Runs every two seconds.

    Told again because a page that missed the news must not go on showing a clock.
    """
    at = clock.now()
    for row in SaleChange.objects.filter(until__isnull=True, kind__in=STOPS).select_related("event"):
        standing = _standing(row)
        if standing.is_due(at):
            open_if_due(row.event_id)
            bell.ring(row.event_id)
        else:
            live.tell_sale(row.event.public_id, standing.news(at))


def end_for_good(event: Event, at: datetime, *, say_sv: str, say_en: str, actor: Any) -> None:
    """End the sale of an event that is cancelled, whatever held for it; nothing opens it again.

    Inside the transaction that writes `Event.cancelled_at`, which holds the event's lock. Next: as `end`.
    """
    row = _open_due(event, _in_force(event), at)
    _follow(event, row, Kind.ENDED, at, say_sv=say_sv, say_en=say_en, actor=actor)


@once_more
def _change(
    event: Event,
    kind: Kind,
    *,
    say_sv: str,
    say_en: str,
    actor: Any,
    seen: int | None,
    opens_at: datetime | None = None,
) -> Standing:
    with transaction.atomic():
        event_lock.take(event.pk)
        at = clock.now()  # now that we hold the lock: everything decided before was decided before this moment
        if Event.objects.filter(pk=event.pk, cancelled_at__isnull=False).exists():
            raise CannotChange(_("The event is cancelled, so nothing is sold any more."))
        row = _open_due(event, _in_force(event), at)
        if seen is not None and seen != (row.number if row else 0):
            raise ChangedMeanwhile(
                _("Somebody else has changed this sale since you opened the page. Look at what holds now.")
            )
        _refuse_pointless(row, kind)
        if opens_at is not None:
            _move_openings(event, opens_at, at)
        fresh = _follow(event, row, kind, at, say_sv=say_sv, say_en=say_en, actor=actor, opens_at=opens_at)
    forget()
    return _standing(fresh)


def _in_force(event: Event) -> SaleChange | None:
    return SaleChange.objects.filter(event=event, until__isnull=True).first()


def _open_due(event: Event, row: SaleChange | None, at: datetime) -> SaleChange | None:
    """What is in force after a moved sale has opened, if its moment has come."""
    if row is None or not _standing(row).is_due(at) or row.opens_at is None:
        return row
    return _follow(event, row, Kind.RESUMED, row.opens_at, say_sv="", say_en="", actor=None)


def _refuse_pointless(row: SaleChange | None, kind: Kind) -> None:
    is_now = row.kind if row else ""
    if kind == Kind.PAUSED and is_now == Kind.PAUSED:
        raise CannotChange(_("The sale is paused already."))
    if is_now == Kind.ENDED and kind == Kind.ENDED:
        raise CannotChange(_("The sale is ended already."))
    if is_now == Kind.ENDED and kind == Kind.PAUSED:
        raise CannotChange(_("The sale is ended, so there is nothing to pause. Open it again first."))
    if kind == Kind.RESUMED and is_now not in (Kind.PAUSED, Kind.ENDED):
        raise CannotChange(
            _("The sale opens by itself. To open it sooner, move it to another time.")
            if is_now == Kind.MOVED
            else _("The sale is not paused.")
        )


def _follow(
    event: Event, row: SaleChange | None, kind: Kind, at: datetime, *, say_sv: str, say_en: str, actor: Any,
    opens_at: datetime | None = None,
) -> SaleChange:  # fmt: skip
    """Put a change in force in place of `row`, and let the clocks of holds run on if that one had stopped them."""
    if row is not None:
        SaleChange.objects.filter(pk=row.pk).update(until=at)
        if row.kind in STOPS:
            _move_holds_on(event.pk, at - row.at)
    fresh = SaleChange.objects.create(
        event=event,
        number=row.number + 1 if row else 1,
        kind=kind,
        at=at,
        opens_at=opens_at,
        say_sv=say_sv.strip(),
        say_en=say_en.strip(),
        actor=actor,
        request_id=current_request_id(),
    )
    transaction.on_commit(partial(_tell, event, _standing(fresh), at))
    return fresh


def _move_holds_on(event_id: int, length: timedelta) -> None:
    """Give every hold of the event the time back that its clock has stood."""
    parameters: list[Any] = [event_id, length]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH held AS (SELECT id FROM ticketing_order WHERE event_id = %s AND state IN ('reserved', 'offered')"
            " ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE ticketing_order o SET reserved_until = o.reserved_until + %s FROM held WHERE o.id = held.id",
            parameters,
        )


def _tell(event: Event, standing: Standing, at: datetime) -> None:
    """Once committed: every page hears of it, the kept ones are made anew, and the queue looks."""
    forget()
    page_cache.begin_anew()
    live.tell_sale(event.public_id, standing.news(at))
    bell.ring(event.pk)


def _move_openings(event: Event, opens_at: datetime, at: datetime) -> None:
    """Let the tickets that would open first, or before `opens_at`, open then. Raises CannotChange."""
    moment = wording.write_moment(opens_at, event.zone)
    if opens_at <= at:
        raise CannotChange(_("Choose a time to come."), "opens_at")
    if opens_at >= event.ends_at:
        raise CannotChange(_("The event is over by then. Choose an earlier time."), "opens_at")
    types = list(TicketType.objects.filter(event=event, is_published=True))
    if not types:
        raise CannotChange(_("There is nothing to sell yet. Add a ticket first."))
    draw = Draw.objects.filter(event=event, drawn_at__isnull=True, closes_at__lte=opens_at).first()
    if draw is not None:
        closes = wording.write_moment(draw.closes_at, event.zone)
        raise CannotChange(
            _("The draw closes %(moment)s, so the sale must open before that.") % {"moment": closes}, "opens_at"
        )
    planned = [kind.sale_opens_at for kind in types if kind.sale_opens_at is not None]
    first = min(planned) if len(planned) == len(types) else None  # none: one is on sale as soon as it is published
    moved = [kind for kind in types if kind.sale_opens_at in (None, first) or _opens(kind) < opens_at]
    for kind in moved:
        if kind.sale_closes_at is not None and kind.sale_closes_at <= opens_at:
            raise CannotChange(
                _("“%(name)s” stops selling before %(moment)s. Change until when it sells first.")
                % {"name": kind.name, "moment": moment},
                "opens_at",
            )
    TicketType.objects.filter(pk__in=[kind.pk for kind in moved]).update(sale_opens_at=opens_at)


def _opens(kind: TicketType) -> datetime:
    assert kind.sale_opens_at is not None
    return kind.sale_opens_at


# --- For the queue -------------------------------------------------------------------------------------------------


def stopped_events() -> set[int]:
    """Events whose queue must not be served now. One query."""
    rows = SaleChange.objects.filter(Q(kind=Kind.PAUSED) | Q(kind=Kind.MOVED, opens_at__gt=clock.Now()))
    return set(rows.filter(until__isnull=True).values_list("event_id", flat=True))


def is_ended(event_field: str = "event_id") -> Exists:
    """A condition on rows of an event: its sale is ended."""
    return Exists(SaleChange.objects.filter(event_id=OuterRef(event_field), until__isnull=True, kind=Kind.ENDED))
