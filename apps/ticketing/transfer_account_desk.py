"""The treasurer's desk for where buyers send their money to: which ways are offered, and to which numbers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column

from apps.accounts.request_ids import current_request_id
from apps.accounts.second_step_demand import demands_second_step
from apps.events import tenancy
from apps.events.desk import DeskCreateView, DeskEditView, OrganisationForm, OrganisationViewSet
from apps.events.models import Organisation
from apps.ticketing import clock, mails
from apps.ticketing.models import AuditEntry, TransferAccount
from apps.ticketing.payments import manual

ACCOUNT_CHANGED = "transfer_account_changed"
NUMBERS = ("bankgiro", "iban", "bic", "swish_number")


class TransferAccountForm(OrganisationForm):
    """Which ways are offered, and where money goes. One row for each organisation."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        organisation = cleaned.get("organisation") or getattr(self.instance, "organisation", None)
        others = TransferAccount.objects.filter(organisation=organisation).exclude(pk=self.instance.pk)
        if organisation is not None and others.exists():
            raise forms.ValidationError(_("%(organisation)s has an account already. Change that one.") % {
                "organisation": organisation
            })  # fmt: skip
        return cleaned


class SavesAccount:
    """Notes who changed where buyers send their money, and has the treasurers written to: whoever could do it unseen
    could take it."""

    request: HttpRequest

    def save_instance(self) -> Any:
        person: Any = self.request.user
        with transaction.atomic():
            was = TransferAccount.objects.filter(pk=self.form.instance.pk).values(*NUMBERS).first() or {}  # type: ignore[attr-defined]
            saved = super().save_instance()  # type: ignore[misc]
            changed = [name for name in NUMBERS if getattr(saved, name) != was.get(name, "")]
            entry = AuditEntry.objects.create(
                model=TransferAccount._meta.label_lower,
                row_id=saved.pk,
                old="",
                new="",
                reason=ACCOUNT_CHANGED,
                actor=person,
                request_id=current_request_id(),
                at=clock.now(),
            )
            if changed:
                mails.account_changed(saved, fact=entry.pk, names=changed, actor=person)
        return saved


@demands_second_step
class AccountCreateView(SavesAccount, DeskCreateView):
    """For whoever keeps the books of one organisation that has an account, on to that one."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        own = list(tenancy.scope(Organisation.objects.all(), request.user, tenancy.Role.TREASURER)[:2])
        there = TransferAccount.objects.filter(organisation=own[0]).first() if len(own) == 1 else None
        if there is not None:
            return HttpResponseRedirect(reverse("transfer_account_desk:edit", args=[there.public_id]))
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                return super().form_valid(form)
        except IntegrityError:  # a second click, or a second treasurer
            messages.warning(self.request, _("The account was saved a moment ago. Look whether it is as you want it."))
            return HttpResponseRedirect(reverse("transfer_account_desk:index"))

    def get_success_message(self, instance: TransferAccount) -> str:
        return _("Saved. Buyers of %(organisation)s can choose it from now on.") % {"organisation": instance}


@demands_second_step
class AccountEditView(SavesAccount, DeskEditView):
    def get_success_message(self) -> str:
        return _("Saved. Whoever waits to pay is shown the new numbers; mails that went out show the old ones.")


def _offered(account: TransferAccount) -> str:
    return ", ".join(str(way.label) for way in manual.WAYS if getattr(account, way.offers)) or _("Nothing")


class TransferAccountDesk(OrganisationViewSet):
    model = TransferAccount
    name = "transfer_account_desk"
    url_prefix = "transfer-accounts"
    icon = "cog"
    menu_label = gettext_lazy("Where money goes")
    views = ("index", "index_results", "add", "edit")
    add_view_class = AccountCreateView
    edit_view_class = AccountEditView
    list_display = [
        "organisation",
        Column("offered", label=gettext_lazy("Offered"), accessor=_offered),
        Column("days", label=gettext_lazy("Days to pay"), accessor="days"),
    ]
    edit_handler = ObjectList(
        [
            FieldPanel("organisation"),
            MultiFieldPanel(
                [FieldPanel("offers_transfer"), FieldRowPanel([FieldPanel("bankgiro"), FieldPanel("iban")]),
                 FieldPanel("bic")],
                heading=gettext_lazy("Bank transfer"),
            ),
            MultiFieldPanel(
                [FieldPanel("offers_swish"), FieldPanel("swish_number")], heading=gettext_lazy("Swish to a number")
            ),
            MultiFieldPanel([FieldPanel("offers_invoice")], heading=gettext_lazy("Invoice")),
            FieldPanel("days"),
        ],
        base_form_class=TransferAccountForm,
    )  # fmt: skip
