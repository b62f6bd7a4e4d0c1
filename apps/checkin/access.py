"""Whose door it is: an Organisation's door staff and editors, and whoever holds a pass to one of its events.

A pass opens its event's door and nothing else: its holder is not signed in. It is looked at anew in every request, so
that a pass which was revoked opens nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest

from apps.accounts.models import User
from apps.checkin import statements
from apps.checkin.models import GatePass
from apps.checkin.verdicts import By, called
from apps.events.models import Event
from apps.events.tenancy import Role, scope
from apps.ticketing import clock

SESSION_KEY = "gate_passes"  # {event's public id: id of the pass} that this phone has opened


class NotSignedIn(Exception):
    """Neither a member of staff nor the holder of a pass."""


class PassEnded(Exception):
    """This phone's pass to the event has expired or was revoked."""

    def __init__(self, gate_pass: GatePass, state: GatePass.State) -> None:
        super().__init__(state)
        self.gate_pass = gate_pass
        self.is_revoked = state == GatePass.State.REVOKED


@dataclass(frozen=True)
class Keeper:
    """Who stands at the door of which event, since this moment by the database."""

    event: Event
    by: By
    at: datetime

    @property
    def name(self) -> str:
        """As colleagues call them."""
        return called(self.by)

    @property
    def gate_pass(self) -> GatePass | None:
        return self.by if isinstance(self.by, GatePass) else None


def events_for(user: User) -> QuerySet[Event]:
    """The events at whose door `user` may stand as staff; a superuser may stand anywhere."""
    if not user.is_active:
        return Event.objects.none()
    return scope(Event.objects.select_related("organisation"), user, Role.DOOR, Role.EDITOR)


def events_by_pass(request: HttpRequest) -> list[Event]:
    """The events at whose door this phone may stand by a pass."""
    opened = request.session.get(SESSION_KEY, {})
    held = GatePass.objects.filter(pk__in=opened.values(), revoked_at__isnull=True, expires_at__gt=clock.Now())
    return [gate_pass.event for gate_pass in held.select_related("event").order_by("event__starts_at", "pk")]


def keeper_at(request: HttpRequest, event_id: UUID) -> Keeper:
    """Who this request comes from, at the door of one event. One query beside those that read session and user.

    A valid pass goes before a signed-in account: its holder said "Begin". Raises Http404 for a door that is not
    theirs, NotSignedIn and PassEnded.
    """
    opened = request.session.get(SESSION_KEY, {})
    pass_id = opened.get(str(event_id))
    held = statements.pass_at(pass_id, event_id) if pass_id else None
    if held is not None:
        gate_pass, at = held
        state = gate_pass.state_at(at)
        if state == GatePass.State.ACTIVE:
            return Keeper(gate_pass.event, gate_pass, at)
    if request.user.is_authenticated:
        event = _staffed_by(request.user).filter(public_id=event_id).annotate(at=clock.Now()).first()  # type: ignore[arg-type]
        if event is not None:
            return Keeper(event, request.user, event.at)  # type: ignore[arg-type]
    if held is not None:
        raise PassEnded(gate_pass, state)
    if request.user.is_authenticated or opened:
        raise Http404
    raise NotSignedIn


def _staffed_by(user: User) -> QuerySet[Event]:
    """As `events_for`, in one query: it is asked for at every scan."""
    if user.is_superuser:
        return Event.objects.all()
    groups = Group.objects.filter(user=user).values("pk")
    return Event.objects.filter(Q(organisation__door__in=groups) | Q(organisation__editors__in=groups))
