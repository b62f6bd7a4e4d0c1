"""What a person would pay, for the desk: an account, or somebody made up, quoted by the rules that the page uses.

Of an account only that is told which the organiser may know: of one that has an order of theirs, or a membership in one
of their member bodies. Nothing is written or held.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.models import User
from apps.discounts import codes
from apps.discounts.granting import MEMBER, UNKNOWN
from apps.discounts.models import MemberBody, Membership
from apps.events.models import Event
from apps.events.translated import active_language, pick
from apps.ticketing import clock, ordering, pricing, reasons
from apps.ticketing.context import ContextLine, PurchaseContext
from apps.ticketing.extensions import Why
from apps.ticketing.models import Order, TicketType


class PersonForm(forms.Form):
    """Who, what and when."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail of an account"),
        required=False,
        help_text=gettext_lazy("Somebody who has ordered from you or is a member. Empty: somebody made up."),
    )
    members = forms.ModelMultipleChoiceField(
        MemberBody.objects.none(),
        label=gettext_lazy("or somebody made up, a member of"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: a guest without an account."),
    )
    unknown = forms.ModelMultipleChoiceField(
        MemberBody.objects.none(),
        label=gettext_lazy("whose membership is not known"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    kind = forms.ModelChoiceField(TicketType.objects.none(), label=gettext_lazy("Ticket"), empty_label=None)
    number = forms.IntegerField(label=gettext_lazy("Number"), min_value=1, max_value=20, initial=1)
    code = forms.CharField(label=gettext_lazy("Code"), required=False, max_length=120)
    at = forms.DateTimeField(
        label=gettext_lazy("When"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: now."),
    )

    def __init__(self, *args: Any, event: Event, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.event = event
        bodies = MemberBody.objects.filter(organisation=event.organisation_id)
        for name in ("members", "unknown"):
            self.fields[name].queryset = bodies  # type: ignore[attr-defined]
            if not bodies.exists():
                del self.fields[name]
        self.fields["kind"].queryset = TicketType.objects.filter(event=event)  # type: ignore[attr-defined]

    def clean_email(self) -> User | None:
        email = self.cleaned_data["email"]
        if not email:
            return None
        organisation = self.event.organisation_id
        known = Q(pk__in=Order.objects.filter(organisation=organisation, user__isnull=False).values("user")) | Q(
            pk__in=Membership.objects.filter(body__organisation=organisation).values("user")
        )
        person = User.objects.filter(known, email__iexact=email).first()
        if person is None:
            raise ValidationError(_("Nobody with this address has ordered from you or is known as your member."))
        return person


@dataclass(frozen=True)
class Told:
    """What one ticket after the other costs, in minor units, and why; `code_problem` says why a code opens nothing."""

    lines: tuple[tuple[int, tuple[tuple[str, int], ...], int], ...]  # (list price, changes, price)
    whys: tuple[Why, ...]
    total_minor: int
    currency: str
    at: datetime
    code_problem: str = ""


def tell(event: Event, form: PersonForm) -> Told:
    """The quote of a valid form."""
    asked = form.cleaned_data
    person: User | None = asked["email"]
    kind: TicketType = asked["kind"]
    at = asked["at"] or clock.now()
    made_up = [f"{MEMBER}{body.public_id.hex}" for body in asked.get("members") or ()]
    made_up += [f"{UNKNOWN}{body.public_id.hex}" for body in asked.get("unknown") or ()]
    texts = [codes.normalise(text) for text in asked["code"].replace(";", ",").split(",") if text.strip()]
    context = PurchaseContext(
        event_id=event.pk,
        currency=event.currency,
        at=at,
        buyer_key=ordering.buyer_key(person, "") if person else "",
        user_id=person.pk if person else None,
        email=person.email if person else "",
        locale=active_language(),
        tokens=tuple(f"{codes.PREFIX}{text}" for text in texts),
        channel="desk",
        preview=True,
        pretends=() if person else tuple(made_up),
        lines=tuple(
            ContextLine(number, kind.pk, kind.price_minor, kind.vat_percent) for number in range(asked["number"])
        ),
    )
    quote = pricing.quote(context, explains=True)
    judged = pricing.judge_codes(context)
    problems = [judged.get(token, "discount_code_unknown") for token in context.tokens]
    return Told(
        lines=tuple(
            (
                line.list_minor,
                tuple((pick(named.label_sv, named.label_en), named.amount_minor) for named in line.adjustments),
                line.price_minor,
            )
            for line in quote.lines
        ),
        whys=tuple(dict.fromkeys(why for line in quote.lines for why in line.whys)),
        total_minor=quote.total_minor,
        currency=event.currency,
        at=at,
        code_problem=next((reasons.sentence(problem) for problem in problems if problem), ""),
    )
