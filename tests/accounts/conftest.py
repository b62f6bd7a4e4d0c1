"""Whoever signs in through a provider does it at the stand-in, a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.providers.facebook import flows as facebook_flows
from allauth.socialaccount.providers.facebook.views import FacebookOAuth2Adapter
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.core.cache import caches

from apps.accounts.liu import keys as liu_keys
from apps.accounts.oidc import views as oidc_views
from tests.identity.client import Identity, running


@pytest.fixture(scope="session")
def identity_process() -> Iterator[Identity]:
    with running() as identity:
        yield identity


@pytest.fixture
def identity(identity_process: Identity, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """The stand-in with no trouble ordered, and every provider of the house leading to it. Nothing is kept of it."""
    url = identity_process.url
    settings.SOCIALACCOUNT_PROVIDERS = identity_process.providers
    monkeypatch.setattr(GoogleOAuth2Adapter, "authorize_url", f"{url}/google/authorize")
    monkeypatch.setattr(GoogleOAuth2Adapter, "access_token_url", f"{url}/google/token")
    monkeypatch.setattr(GitHubOAuth2Adapter, "authorize_url", f"{url}/github/login/oauth/authorize")
    monkeypatch.setattr(GitHubOAuth2Adapter, "access_token_url", f"{url}/github/login/oauth/access_token")
    monkeypatch.setattr(GitHubOAuth2Adapter, "profile_url", f"{url}/github/api/v3/user")
    monkeypatch.setattr(GitHubOAuth2Adapter, "emails_url", f"{url}/github/api/v3/user/emails")
    monkeypatch.setattr(FacebookOAuth2Adapter, "authorize_url", f"{url}/facebook/dialog/oauth")
    monkeypatch.setattr(FacebookOAuth2Adapter, "access_token_url", f"{url}/facebook/oauth/access_token")
    monkeypatch.setattr(facebook_flows, "GRAPH_API_URL", f"{url}/facebook")
    _forget()
    yield identity_process
    identity_process.order(clear=True)
    _forget()


def _forget() -> None:
    liu_keys.keys_at.cache_clear()
    oidc_views.keys_at.cache_clear()
    oidc_views.metadata.forget()
    caches["default"].clear()
