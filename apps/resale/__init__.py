"""Tickets sold back through the house: listings, the marketplace, the waiting list, and who is paid what.

It answers ticketing through `ticketing.extensions` (a fulfilment of its own: pay, swap, refund) like any plugin.
Nothing can be sold back yet: this app is empty.
"""
