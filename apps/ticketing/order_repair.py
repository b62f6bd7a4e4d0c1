"""The desk's way to put right what a buyer mistyped: name and address, also where they may not do it themselves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import View
from wagtail.admin import messages

from apps.events.desk import AddressesByPublicId
from apps.ticketing import corrections
from apps.ticketing.models import Order


class RepairView(AddressesByPublicId, View):
    """The two forms on an order's page at the desk. Whoever may see the order may use them; the audit tells who did."""

    model = Order
    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        try:
            if "email" in request.POST:
                corrections.correct_address(self.object, request.POST["email"], by_desk=True, actor=request.user)
                done = _("Everything goes to %(email)s now. The old address is told, and its links have ended.")
                messages.success(request, done % {"email": request.POST["email"].strip()})
            else:
                name = request.POST.get("name", "")
                corrections.correct_name(self.object, name, by_desk=True, actor=request.user)
                messages.success(request, _("The name was corrected."))
        except corrections.NotCorrected as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("order_desk:inspect", args=[self.object.public_id]))
