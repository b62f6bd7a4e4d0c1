"""Tickets that change hands through the house: who cannot go sells theirs back, and it is somebody else's at once.

pay -> swap -> refund: the new owner pays by an ordinary order, one transaction ends the old ticket and issues the new
one, and what the seller agreed to is owed to them until it has arrived. It answers ticketing by a fulfilment and a
price rule, and asks nothing of its own.
"""
