"""Whether anybody who reads an order's address has ever been here: only then is it surely the buyer's.

An address is typed, and may be a stranger's. It is confirmed when its reader shows up: by a link that only our mails
hold, by a code that was mailed there, by taking the place over from whoever typed it, or because it is the proved
address of the account that bought. Until then the browser that bought may still correct it (see corrections).
"""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac

from apps.accounts.personal_data import verified_emails
from apps.ticketing import clock
from apps.ticketing.models import Order

MARK = "mail"  # the name in a mailed link's query


def mark(order: Order) -> str:
    """What the links in mails carry and no page shows: it stands for this order, its secret and its address."""
    told = f"{order.public_id}:{order.secret}:{order.email}"
    return salted_hmac("ticketing.addresses", told, algorithm="sha256").hexdigest()[:20]


def notice(request: HttpRequest, order: Order) -> None:
    """Confirm the address when the visitor came by a mailed link. One query, the first time.

    A program that looks at links before their reader does (a mail server's scanner) is no reader: it fetches the page
    without saying, as every browser of today does, that it opens it as a document (Fetch Metadata, Sec-Fetch-Dest).
    """
    said = request.GET.get(MARK, "")
    if not said or order.email_confirmed_at is not None or request.method != "GET":
        return
    if request.headers.get("Sec-Fetch-Dest") == "document" and constant_time_compare(said, mark(order)):
        confirm(order)


def confirm(order: Order) -> None:
    """Note that somebody who reads the order's address was here. Safe to repeat; nothing for one corrected since."""
    unknown = Order.objects.filter(pk=order.pk, email=order.email, email_confirmed_at__isnull=True)
    unknown.update(email_confirmed_at=clock.Now())


def is_confirmed(order: Order) -> bool:
    """Whether the address is surely its buyer's. At most two queries."""
    if order.email_confirmed_at is not None:
        return True
    return order.user is not None and order.email.lower() in verified_emails(order.user)
