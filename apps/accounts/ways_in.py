"""The ways into an account: which a person has, and that one always remains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers import registry
from django.conf import settings


@dataclass(frozen=True)
class ConnectedLogin:
    """One login of a provider's that opens the account, as it is shown to its owner."""

    id: int
    name: str
    detail: str
    since: datetime


def apps_set_up() -> list[SocialApp]:
    """Each login with a provider that can be used here, in the order of their buttons. None is in the database."""
    return [
        SocialApp(provider=slug, **entry)
        for slug, facts in settings.SOCIALACCOUNT_PROVIDERS.items()
        for entry in facts.get("APPS", ())
    ]


def set_up() -> dict[str, str]:
    """{provider id: its name} of all that can be used here, in the order of their buttons."""
    names = dict(registry.as_choices())  # what the providers call themselves
    return {app.provider_id or app.provider: app.name or names.get(app.provider, app.provider) for app in apps_set_up()}


def connected(user: Any) -> list[ConnectedLogin]:
    """The logins that open the account of `user`, the oldest first."""
    names = set_up()
    return [
        ConnectedLogin(
            id=row.pk,
            name=names.get(row.provider, row.provider),
            detail=str(row.extra_data.get("liu_id", "")),
            since=row.date_joined,
        )
        for row in SocialAccount.objects.filter(user=user).order_by("pk")
    ]


def remain(user: Any, *, without: SocialAccount) -> bool:
    """Whether `user` still gets in when a login is taken away: by a code to a proved address, by a passkey, or by
    another login whose provider is set up."""
    if EmailAddress.objects.filter(user=user, verified=True).exists():
        return True
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).exists():
        return True
    return SocialAccount.objects.filter(user=user, provider__in=set_up()).exclude(pk=without.pk).exists()
