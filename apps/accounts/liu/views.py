"""To LiU's ADFS and back (OAuth2, code flow)."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from allauth.socialaccount.providers.oauth2.views import OAuth2Adapter, OAuth2CallbackView, OAuth2LoginView
from django.http import HttpRequest
from django.utils.http import urlencode

from apps.accounts.crossing import carefully
from apps.accounts.liu import tokens


class LiuClient(OAuth2Client):
    """ADFS is asked for a `resource`; it knows no scope of this kind."""

    def get_redirect_url(self, authorization_url: str, scope: Any, extra_params: dict[str, str]) -> str:
        asked = {"response_type": "code", "client_id": self.consumer_key, "redirect_uri": self.callback_url}
        return f"{authorization_url}?{urlencode({**asked, 'state': self.state, **extra_params})}"


class LiuAdapter(OAuth2Adapter):
    provider_id = "liu"
    client_class = LiuClient

    @property
    def _url(self) -> str:
        return self.get_provider().app.settings["url"]

    @property
    def authorize_url(self) -> str:
        return f"{self._url}/adfs/oauth2/authorize"

    @property
    def access_token_url(self) -> str:  # type: ignore[override]
        return f"{self._url}/adfs/oauth2/token"

    parse_token = carefully(OAuth2Adapter.parse_token)

    @carefully
    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> Any:
        return self.get_provider().sociallogin_from_response(request, tokens.read(token.token, app))


oauth2_login = OAuth2LoginView.adapter_view(LiuAdapter)
oauth2_callback = OAuth2CallbackView.adapter_view(LiuAdapter)
