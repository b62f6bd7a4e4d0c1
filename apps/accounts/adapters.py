"""allauth's policy hooks: where one lands, and in which language one is met and written to."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.accounts.languages import greet

LONGEST_BROWSER_NAME = 200
TOLD_BY_MAIL = ("mfa/", "socialaccount/")


class AccountAdapter(DefaultAccountAdapter):
    """Foyer's answers to allauth's questions. Anyone may sign up; one returns to the page one left (`next`)."""

    def is_safe_url(self, url: str) -> bool:
        """An address that cannot be read (`http://[`) is nowhere to return to."""
        try:
            return super().is_safe_url(url)
        except ValueError:
            return False

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """What changes how one gets in is told by mail: whoever did it may not be the account's owner."""
        email = email or EmailAddress.objects.get_primary_email(user)
        if not email or not template_prefix.startswith(TOLD_BY_MAIL):
            return
        where = {
            "timestamp": timezone.now(),
            "ip": self.get_client_ip(self.request),
            "user_agent": self.get_http_user_agent(self.request)[:LONGEST_BROWSER_NAME],
        }
        self.send_mail(template_prefix, email, {**where, **(context or {})})

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        greet(request, user, response)  # type: ignore[arg-type]
        return response
