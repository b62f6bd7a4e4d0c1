"""An issuer as allauth sees it. Next: oidc.views, which allauth's urls lead to."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider, _pick_data

from apps.accounts.oidc.views import OidcAdapter


class OidcProvider(OpenIDConnectProvider):
    package = "apps.accounts.oidc"
    oauth2_adapter_class = OidcAdapter

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        """The address is proved when the issuer says so in so many words: some write "false", which is true to Python.

        An operator may say besides that the issuer vouches for a domain (OIDC_…_VOUCHES_FOR).
        """
        told = _pick_data(data)
        email = told.get("email")
        if not isinstance(email, str) or not email:
            return []
        return [EmailAddress(email=email, verified=told.get("email_verified") in (True, "true"), primary=True)]

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        fields = super().extract_common_fields(data)
        return {name: value for name, value in fields.items() if isinstance(value, str)}
