"""Taking payment: one contract for every provider, one place where their word becomes our state.

start    the buyer's click: one live Payment per order, and the effect that opens it at the provider
open     carry that effect out now, because the buyer is waiting
refresh  ask the provider, for a page that came back before the notice did
settle   what a provider tells -> payment, order, tickets, books (payments.settle)
"""

from apps.ticketing.payments.base import (
    NotPayable,
    available,
    catch_up,
    close,
    close_overdue,
    fetch,
    open,
    refresh,
    start,
)

__all__ = ["NotPayable", "available", "catch_up", "close", "close_overdue", "fetch", "open", "refresh", "start"]
