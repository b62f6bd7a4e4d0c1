"""The sandbox bank's page: a card, perhaps a confirmation, and back to the shop."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.ticketing.models import SandboxCharge
from apps.ticketing.payments import sandbox


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, charge_id: uuid.UUID) -> HttpResponse:
    """Show what is to be paid and take the buyer's choice. A charge that is over leads straight back."""
    if settings.IS_PRODUCTION:
        raise Http404
    charge = sandbox.find(charge_id)
    if charge is None:
        raise Http404
    if request.method == "POST":
        try:
            acted_on = _act(charge, request.POST.get("action", ""), request.POST.get("card", ""))
        except sandbox.ChargeOver:
            return redirect(charge.return_url)
        if acted_on is None:
            return _page(request, charge, is_missing=True)
        charge = acted_on
        if charge.status in sandbox.OPEN:
            return redirect(request.path)  # to the next step, which may then be reloaded
    if charge.status not in sandbox.OPEN:
        return redirect(charge.return_url)
    return _page(request, charge)


def _act(charge: SandboxCharge, action: str, card: str) -> SandboxCharge | None:
    """What the button asks for; None when a card is asked for and none of ours was chosen."""
    if action == "leave":
        return sandbox.leave(charge.public_id)
    if action in ("approve", "refuse"):
        return sandbox.confirm(charge.public_id, approves=action == "approve")
    if card in {known.slug for known in sandbox.CARDS}:
        return sandbox.give_card(charge.public_id, card)
    return None


def _page(request: HttpRequest, charge: SandboxCharge, *, is_missing: bool = False) -> HttpResponse:
    confirms = charge.status == sandbox.Status.REQUIRES_CONFIRMATION
    return render(
        request,
        "ticketing/sandbox/confirm.html" if confirms else "ticketing/sandbox/pay.html",
        {"charge": charge, "cards": sandbox.CARDS, "is_missing": is_missing},
        status=400 if is_missing else 200,
    )
