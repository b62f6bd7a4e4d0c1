"""What Foyer makes of somebody whom a provider sends: whose account it is, what is kept of them, what is refused.

- An account is theirs when this login was connected to it before, else when it has proved an address that the provider
  has proved too. An address that either side merely claims joins nothing.
- Whoever only claimed an address, and never got in, gives way to the person who can prove it.
- Of what a provider tells, only what memberships may hang on is kept; its tokens are not.

docs/decisions/0017 says why.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import requests
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from apps.accounts import claimed_addresses, ways_in
from apps.accounts.models import User
from apps.accounts.plain_text import one_line

log = logging.getLogger(__name__)

LONGEST_NAME = 120
CONNECT_SECONDS, READ_SECONDS, IN_ALL_SECONDS = 3.0, 5.0, 8.0
MOST_BYTES = 512 * 1024
CHUNK_BYTES = 64 * 1024


class ProviderSession(requests.Session):
    """Asks a provider with an end to it: so many seconds, and so many bytes, in all, on whatever way it leads. Raises
    RequestException. What is posted, our secret with it, goes nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = 3
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Bounded(self))
        self.end, self.bytes_left = 0.0, 0

    def request(self, method: str, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        self.end, self.bytes_left = time.monotonic() + IN_ALL_SECONDS, MOST_BYTES
        kwargs |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "allow_redirects": method.upper() == "GET"}
        return super().request(method, *args, **kwargs)


class _Bounded(HTTPAdapter):
    """Reads each answer within what its session has left, also those that only lead on: requests reads them whole."""

    def __init__(self, session: ProviderSession) -> None:
        super().__init__()
        self.session = session

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        response = super().send(*args, **{**kwargs, "stream": True})
        content = bytearray()
        try:
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                content += chunk
                if time.monotonic() > self.session.end or len(content) > self.session.bytes_left:
                    raise requests.ReadTimeout("The provider's answer does not end")
        except requests.RequestException:
            raise
        except (HTTPError, OSError) as error:
            raise requests.ConnectionError(str(error)) from error
        finally:
            response.close()
        self.session.bytes_left -= len(content)
        response._content = bytes(content)  # type: ignore[attr-defined]
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


class SocialAdapter(DefaultSocialAccountAdapter):
    """Foyer's answers to allauth's questions about providers."""

    # --- Which there are ---------------------------------------------------------------------------------------------

    def list_apps(self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None) -> list:
        """Those in the settings. None is in the database, so it is not asked."""
        found = ways_in.apps_set_up()
        wanted = [app for app in found if provider is None or provider in (app.provider, app.provider_id)]
        return [app for app in wanted if client_id is None or app.client_id == client_id]

    def list_providers(self, request: HttpRequest) -> list:
        """In the order of the settings."""
        order = list(settings.SOCIALACCOUNT_PROVIDERS)
        return sorted(super().list_providers(request), key=lambda provider: order.index(provider.id))

    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> SocialApp:
        """Raises Http404 for a provider without keys: its address is nowhere."""
        try:
            return super().get_app(request, provider, client_id)
        except SocialApp.DoesNotExist:
            raise Http404(f"{provider} is not set up") from None

    def get_requests_session(self) -> requests.Session:
        return ProviderSession()

    # --- Whose account it is -----------------------------------------------------------------------------------------

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """The account that has proved an address which the provider has proved too.

        Not one that another login of this provider opens: an address may pass to somebody else there.
        """
        for email in self._proved(sociallogin):
            address = EmailAddress.objects.filter(email__iexact=email, verified=True).select_related("user").first()
            if address is None:
                continue
            others = SocialAccount.objects.filter(user_id=address.user_id, provider=sociallogin.account.provider)
            if not others.exists():
                return address.user, email
        return None

    def _proved(self, sociallogin: SocialLogin) -> list[str]:
        proved = [address.email for address in sociallogin.email_addresses if address.verified]
        return [email for email in proved if self.can_authenticate_by_email(sociallogin, email)]

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Asked before a new account is made: who only claimed the proved address gives way."""
        for email in self._proved(sociallogin):
            claimed_addresses.make_way(email)
        return super().is_auto_signup_allowed(request, sociallogin)

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """The whole account or none. Somebody who came twice at once is in with one of the two."""
        try:
            with transaction.atomic():
                return super().save_user(request, sociallogin, form)
        except IntegrityError:
            log.info("Sign-up with %s: somebody else was faster", sociallogin.account.provider)
            messages.warning(request, _("You had signed up a moment before. Sign in once more."))
            raise ImmediateHttpResponse(redirect("account_login")) from None

    # --- What is kept of them ----------------------------------------------------------------------------------------

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """Name and address of a new account; and of what the provider told, only what memberships ask for."""
        user = super().populate_user(request, sociallogin, data)
        parts = [data.get("name")] if data.get("name") else [data.get("first_name"), data.get("last_name")]
        user.name = one_line(" ".join(part for part in parts if isinstance(part, str)))[:LONGEST_NAME].strip()
        sociallogin.account.extra_data = kept_claims(sociallogin.provider, sociallogin.account.extra_data)
        return user

    # --- What goes wrong ---------------------------------------------------------------------------------------------

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        """Say in the log why nobody got in; the page says what to do. Whoever turned back is led to the other ways."""
        if error == AuthError.CANCELLED:
            going_to = ((extra_context or {}).get("state") or {}).get("next")
            messages.info(request, _("You came back without signing in. Nothing was changed."))
            query = f"?{urlencode({'next': going_to})}" if going_to else ""
            raise ImmediateHttpResponse(redirect(reverse("account_login") + query))
        told = f"{type(exception).__name__}: {exception}"[:300] if exception else error
        log.warning("Sign-in with %s failed: %s", getattr(provider, "sub_id", provider), told)


def kept_claims(provider: Any, told: dict[str, Any]) -> dict[str, Any]:
    """What is stored of what a provider told: the claims that its settings name, and no more."""
    if provider.id == "openid_connect":
        told = {**told.get("id_token", {}), **told.get("userinfo", {})}
    elif provider.id == "liu":
        return told  # liu.tokens has read them
    return {name: told[name] for name in provider.app.settings.get("claims", ()) if name in told}
