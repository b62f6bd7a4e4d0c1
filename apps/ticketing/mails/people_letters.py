"""What is written to those who keep an organisation's books: about no order, to each of them in their own language.

Where money goes was changed: whoever could do that unseen could take it, so all treasurers are told, the one who did it
too, and the organisation's own address. An event waits for a second treasurer: the others are told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts.models import User
from apps.accounts.plain_text import one_line
from apps.events import accent, wording
from apps.events.models import Organisation
from apps.events.tenancy import Role
from apps.ticketing import outbox
from apps.ticketing.mails import handover
from apps.ticketing.mails.message import Message
from apps.ticketing.mails.sending import EMPTY_LINES, HOUSE_COLOUR, LEASE_SECONDS, message_id_of
from apps.ticketing.models import Cancellation, Effect, TransferAccount
from apps.ticketing.states import CancellationState

log = logging.getLogger(__name__)

KIND = "mail.people"


@dataclass(frozen=True)
class Told:
    """One such mail in the active language: a subject, a sentence or two, and the button to where something is done."""

    subject: str
    lead: str
    button: str
    url: str


def account_changed(account: TransferAccount, *, fact: int, names: Sequence[str], actor: Any) -> None:
    """Tell everybody who keeps the books that these numbers of the account were changed. `fact` is the audit's entry.
    Inside the transaction that changes them."""
    payload = {"account": account.pk, "names": list(names), "actor": actor.pk}
    _ask("account_changed", f"{fact}", account.organisation, payload, to_house=True)


def cancellation_waits(cancellation: Cancellation) -> None:
    """Tell the treasurers who did not propose it that a cancellation waits for one of them. Inside the transaction that
    proposes it."""
    payload = {"cancellation": cancellation.pk}
    organisation = cancellation.event.organisation
    _ask("cancellation_waits", f"{cancellation.public_id}", organisation, payload, but=cancellation.proposed_by_id)


def _ask(
    name: str,
    fact: str,
    organisation: Organisation,
    payload: dict[str, Any],
    *,
    but: int | None = None,
    to_house: bool = False,
) -> None:
    group = getattr(organisation, Role.TREASURER)
    people = User.objects.filter(groups=group, is_active=True) if group else User.objects.none()
    if but is not None:
        people = people.exclude(pk=but)
    wanted = [{"person": pk} for pk in people.order_by("pk").values_list("pk", flat=True)]
    if to_house or not wanted:
        wanted.append({"organisation": organisation.pk})
    outbox.add_many(
        KIND,
        [
            outbox.Wanted(
                f"{KIND}:{name}:{fact}:{next(iter(to))}{next(iter(to.values()))}", {"name": name, **payload, **to}
            )
            for to in wanted
        ],
    )


@outbox.handler(KIND, lease_seconds=LEASE_SECONDS)
def _send(effect: Effect) -> None:
    to, language = _address(effect.payload)
    if not to:
        return
    with override(language):
        told = WRITERS[effect.payload["name"]](effect.payload)
        if told is None:
            return
        message = _compose(told, to=to, locale=language)
    message.extra_headers["Message-ID"] = message_id_of(effect)
    try:
        handover.hand_over(message)
    except handover.Refused as refusal:
        log.warning("a mail to people of an organisation is refused: %s", refusal.kind)


def _address(payload: dict[str, Any]) -> tuple[str, str]:
    """To whom, and in which language; empty when there is nobody any more."""
    if "person" in payload:
        person = User.objects.filter(pk=payload["person"], is_active=True).first()
        return (person.email, person.locale or settings.LANGUAGE_CODE) if person else ("", "")
    organisation = Organisation.objects.filter(pk=payload["organisation"]).first()
    return (organisation.email if organisation else "", settings.LANGUAGE_CODE)


def _account_changed(payload: dict[str, Any]) -> Told | None:
    account = TransferAccount.objects.select_related("organisation").filter(pk=payload["account"]).first()
    if account is None:
        return None
    actor = User.objects.filter(pk=payload["actor"]).first()
    names = [str(TransferAccount._meta.get_field(name).verbose_name) for name in payload["names"]]  # type: ignore[union-attr]
    words = {
        "organisation": account.organisation.name,
        "who": actor or _("somebody who has left"),
        "what": ", ".join(names),
    }
    return Told(
        _("Where buyers of %(organisation)s send their money was changed") % words,
        _(
            "%(who)s changed %(what)s. Whoever pays from now on is shown the new numbers. Did nobody of you mean to do"
            " that? Then change them back at once, and end that person's access."
        )
        % words,
        _("Look at the numbers"),
        settings.SITE_URL + reverse("transfer_account_desk:edit", args=[account.public_id]),
    )


def _cancellation_waits(payload: dict[str, Any]) -> Told | None:
    rows = Cancellation.objects.select_related("event", "proposed_by")
    cancellation = rows.filter(pk=payload["cancellation"], state=CancellationState.PROPOSED).first()
    if cancellation is None:
        return None  # confirmed or withdrawn meanwhile
    event = cancellation.event
    words = {
        "event": event.title,
        "who": cancellation.proposed_by or _("somebody who has left"),
        "when": wording.write_moment(event.starts_at, event.zone),
    }
    return Told(
        _("%(event)s: cancel it and pay everybody back?") % words,
        _(
            "%(who)s proposes to cancel %(event)s, %(when)s. Nothing has happened yet: a treasurer who is somebody else"
            " has to confirm it, with a code from an app on the phone."
        )
        % words,
        _("See what it means"),
        settings.SITE_URL + reverse("cancellation_desk:event", args=[event.public_id]),
    )


WRITERS: dict[str, Callable[[dict[str, Any]], Told | None]] = {
    "account_changed": _account_changed,
    "cancellation_waits": _cancellation_waits,
}


def _compose(told: Told, *, to: str, locale: str) -> Message:
    shades = accent.derive(HOUSE_COLOUR)
    context = {
        "subject": told.subject,
        "told": told,
        "colour": shades.light,
        "dark": shades.dark,
        "site_url": settings.SITE_URL,
    }
    message = Message(
        subject=one_line(told.subject),
        body=EMPTY_LINES.sub("\n\n", render_to_string("ticketing/mails/people.txt", context)).strip() + "\n",
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[one_line(to)],
        headers={"Auto-Submitted": "auto-generated", "Content-Language": locale},
    )
    message.attach_alternative(render_to_string("ticketing/mails/people.html", context), "text/html")
    return message
