"""Putting right what a buyer mistyped: the name, or the address that everything is sent to.

A new address ends every link and every code the old one may have been sent: the order and its tickets get new secrets,
the tickets a new version, short code and so a new QR code, which the door insists on. The old address is told so in a
mail without any link; the new one gets the links. Whoever typed wrong may do it from the browser that bought, while
nobody has shown that they read the address (see addresses); the desk may always. Called by self_service_views and
order_repair.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.ids import new_secret
from apps.accounts.plain_text import one_line
from apps.accounts.request_ids import current_request_id
from apps.ticketing import addresses, clock, documents, mails, ordering, tickets
from apps.ticketing.models import BY_HAND, AuditEntry, Order, OrderLine, Payment, Ticket
from apps.ticketing.states import ORDER_IN_QUEUE, PAYMENT_LIVE, OrderState, TicketState

ADDRESS_CORRECTED = "address_corrected"
NAME_CORRECTED = "name_corrected"
WORDS: dict[str, Promise] = {
    ADDRESS_CORRECTED: gettext_lazy("The address was corrected; links sent before have ended"),
    NAME_CORRECTED: gettext_lazy("The name was corrected"),
}
# An order in another state is sent nothing more.
STILL_WRITTEN_TO = (*ORDER_IN_QUEUE, OrderState.OFFERED, OrderState.RESERVED, OrderState.PAID, OrderState.REFUNDED)
NAMED = (*ORDER_IN_QUEUE, OrderState.OFFERED, OrderState.RESERVED, OrderState.PAID)
ALIVE = (TicketState.VALID, TicketState.HELD, TicketState.USED, TicketState.BLOCKED)
BY_THE_BUYER = 3  # corrections of one kind of one order; the desk may make more
LONGEST_EMAIL, LONGEST_NAME = 254, 120
UNDER_WAY = gettext_lazy("A payment is under way. Finish it or let it end; then the address can be corrected.")
OVER = gettext_lazy("This order is over, so nothing more is sent about it.")


class NotCorrected(Exception):
    """Nothing was changed; the sentence says why and what to do."""


def why_not_by_buyer(order: Order, *, is_buying_browser: bool) -> str:
    """Why whoever holds the link may not correct the address themselves, in a sentence; empty when they may."""
    try:
        _insist_on_changeable(order)
    except NotCorrected as refusal:
        return str(refusal)
    if addresses.is_confirmed(order):
        return _("Somebody has opened our mail to this address, so it is in use. The organiser can still change it.")
    if not is_buying_browser:
        return _("Only the browser that bought can change this, for a day. The organiser can always.")
    return ""


def correct_address(order: Order, email: str, *, by_desk: bool = False, actor: Any = None) -> Order:
    """Send everything about `order` to `email` from now on, and return the order with its new secret.

    Raises NotCorrected with the reason. That this is the buying browser is asked before; all else is looked at under
    the lock, and of two corrections by one link the second is refused. Locks the order, then its tickets by id. Next:
    the mails, and documents makes the PDFs anew.
    """
    email = _read_email(email)
    with transaction.atomic():
        found, order = order, _locked(order)
        old = order.email
        if order.secret != found.secret:
            raise NotCorrected(_("It was corrected in this very moment, so this link has ended. Look in your e-mail."))
        if email.lower() == old.lower():
            raise NotCorrected(_("That is the address it has already. Nothing was changed."))
        if by_desk:
            _insist_on_changeable(order)
        else:
            if why_not := why_not_by_buyer(order, is_buying_browser=True):
                raise NotCorrected(why_not)
            _insist_on_few(order, ADDRESS_CORRECTED)
        order.email, order.secret, order.email_confirmed_at = email, new_secret(), None
        if order.user_id is None and order.buyer_key:
            order.buyer_key = ordering.buyer_key(None, email)
        _save_address(order)
        _renew_tickets(order, old)
        _note(order, ADDRESS_CORRECTED, actor)
        if old:
            mails.address_corrected(order, old)
        mails.order_moved(order)
        if order.state == OrderState.PAID:
            documents.wanted(order)
    return order


def _insist_on_changeable(order: Order) -> None:
    if order.state not in STILL_WRITTEN_TO:
        raise NotCorrected(str(OVER))
    if _is_being_paid(order):
        raise NotCorrected(str(UNDER_WAY))


def _save_address(order: Order) -> None:
    try:
        with transaction.atomic():
            order.save(update_fields=["email", "secret", "email_confirmed_at", "buyer_key"])
    except IntegrityError as error:
        # One place per person, by the database: the new address stands in this event's line itself.
        raise NotCorrected(
            _("That address stands in this queue itself, and it is one place each. Nothing was changed.")
        ) from error


def correct_name(order: Order, name: str, *, by_desk: bool = False, actor: Any = None) -> Order:
    """Call the buyer `name`, and with them the tickets that bear the buyer's own name and have not been used.

    A ticket whose holder is checked, or that may not be given away, keeps its name unless the desk asks: a new name
    there is another guest. Raises NotCorrected. Locks the order, then its tickets by id.
    """
    name = one_line(name)
    if not name:
        raise NotCorrected(_("Write your name. Nothing was changed."))
    if len(name) > LONGEST_NAME:
        raise NotCorrected(_("Write at most %(limit)d characters. Nothing was changed.") % {"limit": LONGEST_NAME})
    with transaction.atomic():
        order = _locked(order)
        old = order.name
        if name == old:
            raise NotCorrected(_("That is the name it has already. Nothing was changed."))
        if order.state not in NAMED:
            raise NotCorrected(_("This order is over, so its name stays as it was."))
        if not by_desk:
            _insist_on_few(order, NAME_CORRECTED)
        named = Ticket.objects.filter(line__order=order, line__owner_key="", holder_name=old, state=TicketState.VALID)
        kept = named.none()
        if not by_desk:
            kept = named.exclude(ticket_type__needs_id=False, ticket_type__is_transferable=True)
        if kept.exists():
            raise NotCorrected(_("These tickets are personal, so only the organiser can change the name on them."))
        ids = list(named.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True))
        Ticket.objects.filter(pk__in=ids).update(holder_name=name)
        order.name = name
        order.save(update_fields=["name"])
        _note(order, NAME_CORRECTED, actor)
        if order.state == OrderState.PAID:
            documents.wanted(order)
    return order


def _read_email(text: str) -> str:
    email = text.strip()
    try:
        if len(email) > LONGEST_EMAIL:
            raise ValidationError("too long")
        validate_email(email)
    except ValidationError as error:
        raise NotCorrected(_("Write an e-mail address such as robin@example.org. Nothing was changed.")) from error
    return email


def _locked(order: Order) -> Order:
    rows = Order.objects.select_for_update(of=("self",), no_key=True).select_related("event__organisation")
    return rows.get(pk=order.pk)


def _is_being_paid(order: Order) -> bool:
    """Whether a bank holds the address of the order's page, to send the buyer back to. None does of money that the
    buyer sends alone, and that takes days."""
    live = Payment.objects.filter(order=order, state__in=PAYMENT_LIVE).exclude(provider__startswith=BY_HAND)
    return order.state == OrderState.RESERVED and live.exists()


def _insist_on_few(order: Order, reason: str) -> None:
    done = AuditEntry.objects.filter(model=Order._meta.label_lower, row_id=order.pk, reason=reason)
    if done.count() >= BY_THE_BUYER:
        raise NotCorrected(_("This was corrected several times already. Write to the organiser."))


def _renew_tickets(order: Order, old: str) -> None:
    """New secrets, codes and versions for the tickets that went to the old address, so that nothing it has works."""
    theirs = Ticket.objects.filter(
        line__in=OrderLine.objects.filter(order=order), holder_email__iexact=old, state__in=ALIVE
    )
    for ticket in theirs.order_by("pk").select_for_update(of=("self",), no_key=True):
        ticket.holder_email = order.email
        ticket.secret, ticket.short_code = new_secret(), tickets.free_short_code(ticket.event_id)
        ticket.credential_version += 1
        ticket.save(update_fields=["holder_email", "secret", "short_code", "credential_version"])


def _note(order: Order, reason: str, actor: Any) -> None:
    AuditEntry.objects.create(
        model=Order._meta.label_lower,
        row_id=order.pk,
        old=order.state,
        new=order.state,
        reason=reason,
        actor=actor,
        request_id=current_request_id(),
        at=clock.now(),
    )
