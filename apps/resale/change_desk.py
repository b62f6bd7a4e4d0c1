"""The treasurer's form for another price of a ticket that is for sale, or others who may buy it.

It asks what the seller's own form asks, of whoever has shown their second step. What comes back to the seller at a
price is always looked at before it holds, and a form of another moment does nothing and says what is different.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.defaults import permission_denied
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from apps.accounts.second_step_demand import demands_second_step
from apps.events import tenancy
from apps.events.desk import AddressesByPublicId
from apps.resale import listings, rules
from apps.resale.models import Listing
from apps.resale.sell_form import ANYBODY, FRIEND, Seen, SellForm, who_of, whole
from apps.resale.states import ListingState


class ListingForm(SellForm):
    """The seller's form, in the words of the desk."""

    who = forms.ChoiceField(
        label=gettext_lazy("Who may buy?"),
        choices=[(ANYBODY, gettext_lazy("Anybody")), (FRIEND, gettext_lazy("Whoever has its link"))],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, listing: Listing, **kwargs: Any) -> None:
        kwargs["initial"] = {"who": who_of(listing), "price": listing.asked_minor}
        super().__init__(*args, **kwargs)
        self.order_fields(["price", "who"])
        self.fields["price"].label = _("Price")


def may_change(user: Any, listing: Listing) -> bool:
    """Whether this person asks another price for the ticket: it is the seller's money, so that editors do not."""
    return tenancy.has_role(user, listing.event.organisation, tenancy.Role.TREASURER)


@demands_second_step
class ListingChangeView(AddressesByPublicId, WagtailAdminTemplateMixin, View):
    """Asks another price. Every page carries how the listing stood, and what comes back at the price it shows."""

    model = Listing
    page_title = gettext_lazy("Change the sale")
    header_icon = "group"
    template_name = "resale/admin/listing_change.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        if not may_change(request.user, self.object):
            return permission_denied(request, PermissionDenied())
        return super().dispatch(request, *args, **kwargs)

    def get_page_subtitle(self) -> str:
        return str(self.object.ticket.ticket_type)

    @property
    def listing_url(self) -> str:
        return reverse("listing_desk:inspect", args=[self.object.public_id])

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("listing_desk:index"), "label": _("Second hand")},
            {"url": self.listing_url, "label": _("Ticket second hand")},
            {"url": "", "label": str(self.page_title)},
        ]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        problem = "" if self.object.state == ListingState.OPEN else Seen.of(self.object).what_changed(self.object)
        return self._show(ListingForm(listing=self.object), problem=problem)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        listing: Listing = self.object
        seen, form = Seen.in_form(request.POST), ListingForm(request.POST, listing=listing)
        is_valid = form.is_valid()
        asked, is_private = form.cleaned_data.get("price"), form.cleaned_data.get("who") == FRIEND
        is_as_asked = (listing.asked_minor, listing.is_private) == (asked, is_private)
        if is_valid and listing.state == ListingState.OPEN and is_as_asked:
            messages.success(request, _("The ticket is for sale like this already."))  # the button was pressed twice
            return HttpResponseRedirect(self.listing_url)
        if seen.is_stale(listing) or listing.state != ListingState.OPEN:
            return self._show_now(listing, seen)
        if not is_valid:
            return self._show(form, status=422)
        if "payout" not in request.POST:
            return self._show(form)
        try:
            listings.change(
                listing,
                version=seen.version,
                asked_minor=form.cleaned_data["price"],
                agreed_payout_minor=whole(request.POST, "payout"),
                is_private=is_private,
                actor=request.user,
            )
        except listings.CannotSell as refusal:
            return self._show(form, problem=str(refusal.sentence), status=409)
        except listings.Changed as refusal:
            return self._show_now(refusal.listing, seen)
        messages.success(request, _("The sale is changed. The ticket's owner is told by mail."))
        return HttpResponseRedirect(self.listing_url)

    def _show_now(self, listing: Listing, seen: Seen) -> HttpResponse:
        """The listing as it is, and what is different from the form that was sent."""
        self.object = self.get_object()
        return self._show(ListingForm(listing=self.object), problem=seen.what_changed(listing), status=409)

    def _show(self, form: ListingForm, *, problem: str = "", status: int = 200) -> HttpResponse:
        listing: Listing = self.object
        asked = form.cleaned_data.get("price", listing.asked_minor) if form.is_bound else listing.asked_minor
        terms = None
        try:
            if not form.errors:
                terms = listings.terms(listing.ticket, rules.of(listing.event), asked)
        except listings.CannotSell as refusal:
            if form.is_bound and not problem:
                form.add_error("price", str(refusal.sentence))
                status = 422
        context = self.get_context_data(
            listing=listing,
            listing_url=self.listing_url,
            is_open=listing.state == ListingState.OPEN,
            form=form,
            seen=Seen.of(listing),
            terms=terms,
            highest_minor=listing.ticket.line.kept_minor,
            problem=problem,
        )
        return self.render_to_response(context, status=status)
