"""Named places at which a test may kill the process, to prove that a purchase survives it there.

Nothing happens in production. Elsewhere a test names a point, and the process that reaches it dies by SIGKILL, with
nothing flushed and nothing rolled back by us: `FOYER_CRASH_AT=<name>` for every process that is started with it, or a
file of the point's name in `FOYER_CRASH_FOLDER`, which the one process that dies takes with it.
"""

from __future__ import annotations

import os
import signal

from django.conf import settings

# The twelve places of one purchase, in its order; a proof kills whoever comes there and reckons money, places, mails.
PURCHASE = {
    "P1": ("order.placed", "the order is stored, no worker has been told"),
    "P2": ("bell.rung", "a worker has been told, none has begun"),
    "P3": ("drain.before_commit", "the place is chosen, nothing is committed"),
    "P4": ("drain.committed", "the place is held, there is no payment yet"),
    "P5": ("payment.opened", "the bank has opened the payment, its answer is lost"),
    "P6": ("payment.noted", "the bank's name of the payment is stored, the effect is not marked"),
    "P7": ("notice.received", "the buyer has paid, the bank's notice is lost"),
    "P8": ("notice.stored", "the notice is stored, nobody has acted on it"),
    "P9": ("settle.before_commit", "paid, with tickets and books, and nothing is committed"),
    "P10": ("settle.committed", "paid and committed, neither PDF nor mail is made"),
    "P11": ("document.rendered", "the PDF is drawn and not kept"),
    "P12": ("mail.handed_over", "the mail server has the mail, we have no note of it"),
}
# The ten places of a ticket that is sold again, from its listing to its seller's money.
RESALE = {
    "R1": ("resale.listed", "the ticket is for sale, its owner was not answered"),
    "R2": ("drain.committed", "a buyer holds the ticket, there is no payment yet"),
    "R3": ("payment.opened", "the bank has opened the buyer's payment, its answer is lost"),
    "R4": ("notice.stored", "the bank's notice of the buyer's money is stored, nobody has acted on it"),
    "R5": ("resale.swapped", "the ticket has its new owner, with books and refund, and nothing is committed"),
    "R6": ("settle.committed", "the swap is committed, neither refund nor mail is sent"),
    "R7": ("refund.sent", "the bank sends the seller's money, its answer is lost"),
    "R8": ("refund.noted", "the bank's name of the refund is stored, the effect is not marked"),
    "R9": ("refund.arrived", "the bank has told that the money arrived, and nothing is committed"),
    "R10": ("mail.handed_over", "the mail server has a mail about it, we have no note of it"),
}


def crashpoint(name: str) -> None:
    """Die here when a test asked for it."""
    if settings.IS_PRODUCTION:
        return
    if os.environ.get("FOYER_CRASH_AT") == name or _is_armed(name):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_armed(name: str) -> bool:
    folder = os.environ.get("FOYER_CRASH_FOLDER")
    if not folder:
        return False
    try:
        os.unlink(os.path.join(folder, name))  # one of several that come here at once
    except FileNotFoundError:
        return False
    return True
