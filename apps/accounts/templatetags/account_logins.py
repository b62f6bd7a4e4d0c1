"""`{% connected_logins user as logins %}`: those of an account; `{% login_providers as found %}`: those there are."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import get_adapter
from django import template

from apps.accounts import ways_in

register = template.Library()
register.simple_tag(lambda user: ways_in.connected(user), name="connected_logins")


@register.simple_tag(takes_context=True)
def login_providers(context: Any) -> list[Any]:
    """The providers that are set up, in the order of the settings."""
    request = context.get("request")
    return get_adapter().list_providers(request) if request is not None else []
