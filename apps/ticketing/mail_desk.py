"""The desk's view of an order's mails: what went out, what waits, what came back and why, and sending one again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View
from wagtail.admin import messages

from apps.accounts.request_ids import current_request_id
from apps.events.desk import AddressesByPublicId
from apps.events.wording import write_moment
from apps.ticketing import clock, mails, outbox
from apps.ticketing.mails import letters, troubles
from apps.ticketing.models import AuditEntry, Effect, MailTrouble, Order, SentMail
from apps.ticketing.states import EffectState

AGAIN_SECONDS = 30
SENT_AGAIN = "mail_sent_again"
WORDS = {SENT_AGAIN: gettext_lazy("A mail was sent again")}
WAITING = (EffectState.DUE, EffectState.LEASED, EffectState.UNKNOWN)
# What `last_error` begins with when the mail itself is good, and nobody was there to take it.
NO_MAIL_SERVER = (
    *("ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "BrokenPipeError", "TimeoutError"),
    *("OSError", "gaierror", "timeout", "SSLError", "SSLCertVerificationError"),
    *("SMTPException", "SMTPServerDisconnected", "SMTPConnectError", "SMTPHeloError", "SMTPAuthenticationError"),
    *("SMTPSenderRefused", "SMTPRecipientsRefused", "SMTPDataError", "SMTPResponseException", "SMTPNotSupportedError"),
    *("AnymailRequestsAPIError", "AnymailAPIError"),
)
TROUBLES = {
    MailTrouble.Kind.BOUNCED: gettext_lazy("Came back"),
    MailTrouble.Kind.COMPLAINED: gettext_lazy("Marked as spam"),
    MailTrouble.Kind.FAILED: gettext_lazy("Refused"),
}


@dataclass(frozen=True)
class DeskMail:
    """One mail as the desk shows it. `why` is in words; `at` when it was sent, or was asked for while it waits."""

    public_id: UUID
    what: str
    subject: str
    to: str
    at: datetime
    state: str
    why: str = ""
    is_bad: bool = False
    can_send_again: bool = False


def of(order: Order) -> list[DeskMail]:
    """Every mail about an order, the first first. Three queries. A mail that had become pointless is none."""
    sent = list(order.mails.all())
    told = troubles.of_mails(sent)
    open_ones = Effect.objects.filter(order=order, kind=mails.KIND, state__in=[*WAITING, EffectState.DEAD])
    found = [_sent(mail, told.get(mail.pk)) for mail in sent]
    found += [_unsent(order, effect) for effect in open_ones.order_by("pk")]
    return sorted(found, key=lambda mail: mail.at)


def _sent(mail: SentMail, trouble: MailTrouble | None) -> DeskMail:
    return DeskMail(
        public_id=mail.public_id,
        what=letters.title_of(mail.name),
        subject=mail.subject,
        to=mail.to,
        at=mail.sent_at,
        state=str(TROUBLES[MailTrouble.Kind(trouble.kind)]) if trouble else _("Sent"),
        why=trouble.detail if trouble else "",
        is_bad=trouble is not None,
        can_send_again=mail.name in letters.kinds,
    )


def _unsent(order: Order, effect: Effect) -> DeskMail:
    name = effect.payload.get("name", "")
    is_dead = effect.state == EffectState.DEAD
    if is_dead:
        state = _("Could not be sent")
    elif effect.tries and effect.last_error:
        state = _("Is tried again")
    else:
        state = _("Waits")
    return DeskMail(
        public_id=effect.public_id,
        what=letters.title_of(name),
        subject="",
        to=letters.address_for(order, name, effect.payload),
        at=effect.created_at,
        state=state,
        why=_why(effect) or _not_before(order, effect),
        is_bad=is_dead,
        can_send_again=is_dead and name in letters.kinds,
    )


def _why(effect: Effect) -> str:
    """What went wrong, as far as it concerns the desk: the error's own words are for operators, in `last_error`."""
    if not effect.last_error:
        return ""
    if effect.payload.get("name", "") not in letters.kinds:
        return _("What wrote this mail is not installed.")
    if effect.last_error.split(":")[0] in NO_MAIL_SERVER:
        return _("The mail server could not be reached or did not take it.")
    return _("Something went wrong while it was written or sent. The operators' log says what.")


def _not_before(order: Order, effect: Effect) -> str:
    kind = letters.kinds.get(effect.payload.get("name", ""))
    if kind is None or not kind.is_reminder or effect.due_at <= effect.created_at:
        return ""
    moment = write_moment(effect.due_at, order.event.zone)
    return _("not before %(moment)s, and only if it is still needed then") % {"moment": moment}


class Again(Exception):
    """The mail is not sent again; the sentence says why."""


def send_again(order: Order, mail_id: UUID, *, actor: Any) -> str:
    """Put a mail of `order` into the outbox once more and return its name in words. Raises Again with the reason why
    not. Locks the order, so that two clicks are one mail."""
    with transaction.atomic():
        order = (
            Order.objects.select_for_update(of=("self",), no_key=True)
            .select_related("event", "organisation")
            .get(pk=order.pk)
        )
        payload = _payload_of(order, mail_id)
        _refuse_twice(order, payload)
        _refuse_pointless(order, payload)
        mails.send_again(order, payload)
        AuditEntry.objects.create(
            model=Order._meta.label_lower,
            row_id=order.pk,
            old=order.state,
            new=order.state,
            reason=SENT_AGAIN,
            actor=actor,
            request_id=current_request_id(),
            at=clock.now(),
        )
    return letters.title_of(payload["name"])


def _payload_of(order: Order, mail_id: UUID) -> dict[str, Any]:
    sent = SentMail.objects.filter(order=order, public_id=mail_id).first()
    if sent is not None:
        return {**sent.payload, "name": sent.name, **_former(sent)}
    effect = get_object_or_404(Effect, order=order, kind=mails.KIND, public_id=mail_id)
    if effect.state in WAITING:
        raise Again(_("This mail waits to be sent already."))
    return effect.payload


def _former(sent: SentMail) -> dict[str, str]:
    """Where a mail went that is not the order's own address any more; kept with the mail, not in its payload."""
    kind = letters.kinds.get(sent.name)
    return {"to": sent.to} if kind is not None and kind.to_former else {}


def _refuse_twice(order: Order, payload: dict[str, Any]) -> None:
    since = clock.now() - timedelta(seconds=AGAIN_SECONDS)
    recent = Effect.objects.filter(order=order, kind=mails.KIND, created_at__gt=since, payload__again=True)
    if recent.filter(payload__name=payload["name"]).exists():
        raise Again(_("This mail was sent again just now. Wait half a minute, and look whether it arrived."))


def _refuse_pointless(order: Order, payload: dict[str, Any]) -> None:
    if payload["name"] not in letters.kinds:
        raise Again(_("This mail cannot be written any more: what wrote it is not installed."))
    try:
        letter = letters.write(order, {**payload, "again": True}, clock.now())
    except outbox.NotYet:
        letter = None
    address = letters.address_for(order, payload["name"], payload)
    if not letter or not address:
        raise Again(_("What this mail says is not true any more, so it is not sent again."))
    if troubles.is_spared(payload["name"], address):
        raise Again(_("This address marked our mail as spam, so it gets no reminders any more."))


class SendAgainView(AddressesByPublicId, View):
    """The button beside a mail. Whoever may see the order may press it."""

    model = Order
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, pk: UUID, mail: UUID) -> HttpResponse:
        try:
            what = send_again(self.object, mail, actor=request.user)
        except Again as reason:
            messages.warning(request, str(reason))
        else:
            messages.success(request, _("“%(mail)s” is on its way once more.") % {"mail": what})
        return HttpResponseRedirect(reverse("order_desk:inspect", args=[self.object.public_id]))
