"""Addresses that somebody claims without having proved them, and what becomes of the claim when another proves them.

Anybody may sign up with anybody's address, and choose a password for it. Whoever proves the address later must not find
themselves in an account that somebody else can open too, nor be kept out by a claim.
"""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.internal.flows.email_verification import verify_email_indirectly
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest
from django.utils import timezone

from apps.accounts.models import User

log = logging.getLogger(__name__)


def make_way(email: str) -> None:
    """Remove what claims `email`, which somebody has proved elsewhere: addresses that others added and never proved,
    and the account that is nothing but that claim.

    Its owner never got in. Were the account given to whoever proves the address, its first owner might still hold a
    page open that leads into it; so it goes, and a new one is made. Locks the account.
    """
    with transaction.atomic():
        strike(email)
        shell = User.objects.select_for_update().filter(email__iexact=email).first()
        if shell is None or not _is_hollow(shell):
            return
        try:
            with transaction.atomic():
                shell.delete()
        except (ProtectedError, RestrictedError):
            return
    log.info("An account that nobody had got into gave way to the owner of its address")


def strike(email: str) -> None:
    """Forget that accounts which are somebody else's claim `email` beside an address of their own. Asked before a code
    or a link is mailed there, so that it leads nobody into an account whose owner is another."""
    EmailAddress.objects.filter(email__iexact=email, verified=False).exclude(user__email__iexact=email).delete()


def _is_hollow(user: User) -> bool:
    if user.last_login or user.is_staff or user.is_superuser or user.groups.exists():
        return False
    if EmailAddress.objects.filter(user=user, verified=True).exists():
        return False
    # A login that was never let in is a part of the claim.
    return not Authenticator.objects.filter(user=user).exists()


def forget_claims(request: HttpRequest | None, email_address: EmailAddress, **_: Any) -> None:
    """allauth's `email_confirmed`: an account whose first address is proved by a code to sign in may have been made by
    somebody else, who knows its password, or came by a login of theirs that did not prove the address. Both go; whoever
    reads the mail chooses a password anew, or needs none, and connects a login of their own.

    At sign-up the code is typed in the browser that chose the password or the login, which therefore stay.
    """
    match = request.resolver_match if request is not None else None  # confirmed at the command line
    if match is None or match.url_name != "account_confirm_login_code":
        return
    user = email_address.user
    if EmailAddress.objects.filter(user=user, verified=True).exclude(pk=email_address.pk).exists():
        return
    SocialAccount.objects.filter(user=user).delete()
    user.set_unusable_password()
    user.save(update_fields=["password"])


def forget_claims_at_reset(request: HttpRequest, user: User, **_: Any) -> None:
    """allauth's `password_reset`: somebody has read the mail to an account into which nobody ever got, and chosen its
    password. Whatever its maker had of it goes: their password is replaced, their logins and other addresses are
    removed, and a page of theirs that still waits for the code changes its address no more, since the account counts
    as entered."""
    if user.last_login or EmailAddress.objects.filter(user=user, verified=True).exists():
        return
    with transaction.atomic():
        SocialAccount.objects.filter(user=user).delete()
        EmailAddress.objects.filter(user=user).exclude(email__iexact=user.email).delete()
        user.last_login = timezone.now()
        user.save(update_fields=["last_login"])
    verify_email_indirectly(request, user, user.email)
