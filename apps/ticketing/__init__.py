"""Selling, owning and refunding tickets: the catalogue, the queue, payment, tickets and the books.

Knows no plugin: it asks through `extensions` and tells through `signals`. docs/purchase.md follows one purchase.
"""
