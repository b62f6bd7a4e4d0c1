"""Treasurers at their desks have a second step and have shown it, as `demands_second_step` asks; a test of its own says
where they have not (tests/accounts/test_second_step_demand.py)."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.http import HttpRequest
from django.test import Client

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
sign_in_with_one_step = Client.force_login


def sign_in(client: Client, user: Any, backend: str | None = None) -> None:
    """What `Client.force_login` does in all tests: who moves money has shown their second step."""
    sign_in_with_one_step(client, user, backend)
    if user.is_superuser or user.groups.filter(name__endswith=": treasurers").exists():
        if not Authenticator.objects.filter(user=user).exists():
            Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": encrypt(SECRET)})
        show(client, user)


def show(client: Client, user: Any) -> None:
    """Note, as allauth does, that whoever is signed in has shown their second step."""
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, user, "mfa", type="totp")
    request.session.save()
