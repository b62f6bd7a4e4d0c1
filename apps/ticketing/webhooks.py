"""The inbox: notices of payment providers, verified, stored once, answered at once and acted upon later.

Step 6 of a purchase begins here. The answer does not wait for anything but one small transaction; what the notice means
is found out by the effect stored with it, which asks the provider for the object itself. So neither the order in which
notices come nor how often they come matters.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace

from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.ticketing import clock, outbox
from apps.ticketing.crashpoints import crashpoint
from apps.ticketing.extensions import BadNotice, NothingToUs, Notice, payment_providers
from apps.ticketing.models import Effect, ProviderEvent
from apps.ticketing.payments import settle

log = logging.getLogger(__name__)

LARGEST_BODY = 256 * 1024
PROCESS = "provider.notice"


@csrf_exempt
@require_POST
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """Take a notice: 200 once it is stored (again or for the first time), or when it concerns nothing of ours; 400 when
    it cannot be believed, 404 for a provider we do not have, 413 above 256 kB. Stores nothing that was not verified.
    Next: the effect, `process`."""
    if provider not in payment_providers:
        raise Http404
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdigit() and int(length) > LARGEST_BODY:
        return HttpResponse(status=413)
    try:
        notice = payment_providers.get(provider).read_notice(request)
    except BadNotice as error:
        log.warning("a notice for %s was refused: %s", provider, error)
        return HttpResponse("This notice cannot be verified.\n", status=400, content_type="text/plain")
    except NothingToUs as news:
        log.info("a notice for %s was passed by: %s", provider, news)
        return HttpResponse("Received.\n", content_type="text/plain")
    crashpoint("notice.received")
    store(notice, provider=provider)
    return HttpResponse("Received.\n", content_type="text/plain")


def store(notice: Notice, *, provider: str) -> bool:
    """Keep a verified notice with the effect that acts on it; False when it is here already."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ticketing_providerevent (provider, event_id, kind, object_id, received_at, payload)"
                " VALUES (%s, %s, %s, %s, foyer_now(), %s::jsonb)"
                " ON CONFLICT (provider, event_id) DO NOTHING RETURNING id",
                [
                    provider,
                    notice.event_id,
                    f"{notice.kind}.{notice.state}",
                    notice.reference,
                    json.dumps(asdict(notice)),
                ],
            )
            row = cursor.fetchone()
        if row is None:
            return False
        outbox.add(PROCESS, key=f"{PROCESS}:{row[0]}", payload={"event": row[0]})
    crashpoint("notice.stored")
    return True


@outbox.handler(PROCESS)
def process(effect: Effect) -> None:
    """Ask the provider for the payment a stored notice speaks of and settle the answer; a refund's notice counts as it
    is. Does nothing when the notice was processed before."""
    event = ProviderEvent.objects.get(pk=effect.payload["event"])
    if event.processed_at is not None:
        return
    notice = Notice(**event.payload)
    if notice.kind == "payment":
        payment = settle.find(notice, provider=event.provider)
        if payment is not None:
            payment.provider_reference = payment.provider_reference or notice.reference
            answer = payment_providers.get(event.provider).fetch(payment)
            notice = replace(answer, event_id=notice.event_id)
    settle.settle(notice, provider=event.provider)
    ProviderEvent.objects.filter(pk=event.pk, processed_at__isnull=True).update(processed_at=clock.now())
