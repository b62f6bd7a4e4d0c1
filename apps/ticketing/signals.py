"""Every fact ticketing announces. Sent after commit with `send_robust`: a receiver that fails fails alone (logged).

`*_moved` signals carry `ids` (primary keys that really moved), `old` and `new` state, `reasons` ({id: code}). They are
NOT sent for rows that somebody else moved first, nor when the transaction rolls back, nor by migrations.
"""

from django.dispatch import Signal

orders_moved = Signal()  # ids, old, new, reasons
payments_moved = Signal()  # ids, old, new, reasons
refunds_moved = Signal()  # ids, old, new, reasons
tickets_moved = Signal()  # ids, old, new, reasons

disputes_moved = Signal()  # ids, old, new, reasons: a dispute was won or lost

# A payer disputes a payment: `id` of the Dispute. Not sent when a dispute is told of only after it was decided, nor
# when it is told of again.
dispute_opened = Signal()

# Tickets came into being: `ids`. Not sent when an issue is repeated and finds them there.
tickets_issued = Signal()

# Holders offered their tickets to somebody: `ids` of the tickets, which are theirs until it is accepted.
tickets_offered = Signal()

# Buyers changed the choices of their tickets, or begin to, and pay more first: `ids` of the tickets.
choices_changed = Signal()

# Places came back on sale for an event: `event_id`. Sent once per transaction that freed any.
places_returned = Signal()
