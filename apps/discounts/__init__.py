"""Who may buy, when, and for how much: discounts, codes, presale links, memberships and sponsors.

It answers ticketing through `ticketing.extensions` (price rules and gates) like any plugin, and will ask others whether
a person is a member. Nothing is sold at a lower price yet: this app is empty.
"""
