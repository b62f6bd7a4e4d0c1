"""To the issuer and back, as allauth does it; what the issuer says of itself is asked once in ten minutes.

Both directions need it, and a thousand people sign in within a minute.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.crossing import carefully
from apps.accounts.kept import Kept
from apps.accounts.signed_tokens import Keys, decode, keys_of_set

METADATA_SECONDS = 600
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


def _ask(address: str) -> Any:
    with get_adapter().get_requests_session() as session:
        answer = session.get(address)
        answer.raise_for_status()
        return answer.json()


def ask_metadata(address: str) -> dict[str, Any]:
    """What the issuer says of itself now. Raises OAuth2Error, or RequestException."""
    told = _ask(address)
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in NEEDED):
        raise OAuth2Error("The issuer's metadata is not whole")
    return told


metadata: Kept[str, dict[str, Any]] = Kept(ask_metadata, seconds=METADATA_SECONDS)


@cache
def keys_at(address: str) -> Keys:
    return Keys(lambda: keys_of_set(_ask(address)))


class OidcAdapter(OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self) -> dict[str, Any]:
        return metadata(self.get_provider().server_url)

    parse_token = carefully(OpenIDConnectOAuth2Adapter.parse_token)

    @carefully
    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> Any:
        """Both tell of the same person, or nobody signs in (OpenID Connect Core 1.0, 5.3.2)."""
        told: dict[str, Any] = {}
        if signed := kwargs["response"].get("id_token"):
            told["id_token"] = self._decode_id_token(app, signed)
        if "userinfo_endpoint" in self.openid_config:
            told["userinfo"] = self._fetch_user_info(token.token)
        if len({part["sub"] for part in told.values()}) != 1:
            raise OAuth2Error("The issuer tells of nobody, or of two people")
        return self.get_provider().sociallogin_from_response(request, told)

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """The signature is checked always: what tells who somebody is may have come by a proxy."""
        told = self.openid_config
        return decode(id_token, keys_at(told["jwks_uri"]), issuer=told["issuer"], audience=app.client_id)


def login(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    return OAuth2LoginView.adapter_view(OidcAdapter(request, provider_id))(request)


def callback(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    return OAuth2CallbackView.adapter_view(OidcAdapter(request, provider_id))(request)
