"""`{% connected_logins user as logins %}`: the providers' logins that open an account."""

from __future__ import annotations

from typing import Any

from django import template

from apps.accounts import ways_in

register = template.Library()
register.simple_tag(lambda user: ways_in.connected(user), name="connected_logins")


@register.simple_tag
def logins_set_up() -> dict[str, Any]:
    """{provider id: name} of what can be used here."""
    return dict(ways_in.set_up())
