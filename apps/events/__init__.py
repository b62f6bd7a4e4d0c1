"""What happens and how it is told: organisations, events, their pages and the blocks of those pages.

Knows nobody who sells or admits: it asks through `extensions`.
"""
