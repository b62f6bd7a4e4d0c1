"""LiU as allauth sees it. Next: liu.views."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.base import ProviderAccount
from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider

from apps.accounts.liu.tokens import LiuPerson
from apps.accounts.liu.views import LiuAdapter


class LiuProvider(OAuth2Provider):
    id = "liu"
    name = "LiU"
    package = "apps.accounts.liu"
    account_class = ProviderAccount
    oauth2_adapter_class = LiuAdapter

    def get_auth_params(self) -> dict[str, str]:
        return {"resource": self.app.settings["resource"]}

    def extract_uid(self, data: LiuPerson) -> str:
        return data.lin

    def extract_extra_data(self, data: LiuPerson) -> dict[str, Any]:
        return dict(data.kept)

    def extract_common_fields(self, data: LiuPerson) -> dict[str, Any]:
        return {"email": data.email, "name": data.name}

    def extract_email_addresses(self, data: LiuPerson) -> list[EmailAddress]:
        return [EmailAddress(email=data.email, verified=data.email_is_proved, primary=True)] if data.email else []
