"""allauth's policy hooks: where one lands, and in which language one is met and written to."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse

from apps.accounts.languages import greet


class AccountAdapter(DefaultAccountAdapter):
    """Foyer's answers to allauth's questions. Anyone may sign up; one returns to the page one left (`next`)."""

    def is_safe_url(self, url: str) -> bool:
        """An address that cannot be read (`http://[`) is nowhere to return to."""
        try:
            return super().is_safe_url(url)
        except ValueError:
            return False

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        greet(request, user, response)  # type: ignore[arg-type]
        return response
