"""Who may buy, when, and for how much: discounts, codes, presale links, memberships and sponsors.

It answers ticketing through `ticketing.extensions` (price rules and gates) like any plugin, and asks others through
`discounts.extensions` whether a person is a member.
"""
