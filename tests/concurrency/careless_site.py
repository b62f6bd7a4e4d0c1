"""The site with its guard against early orders taken out: the negative control of the opening second."""

from __future__ import annotations

from config.wsgi import application

from apps.ticketing import ordering

__all__ = ["application"]

ordering._type_problems = lambda chosen, count, at: []
ordering._window = lambda facts, tickets, channel: (None, facts.ends_at)
