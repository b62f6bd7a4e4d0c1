"""What the house holds on one person: to be taken along (GDPR art. 15 and 20) and to be erased (art. 17).

Every app answers for its own tables through `extensions.personal_data`; accounts' answer is the last class here.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from apps.accounts.extensions import personal_data
from apps.accounts.models import User


def export(user: User) -> dict[str, Any]:
    """Everything held on `user`, by app, as plain JSON values. Raises what an app raises: half an answer is none."""
    return {holder.slug: holder.export(user) for holder in personal_data}


def erase(user: User) -> None:
    """Erase `user` from every app, or from none when one of them fails. The account's own row goes last."""
    with transaction.atomic():
        for holder in sorted(personal_data, key=lambda holder: holder.slug == AccountData.slug):
            holder.erase(user)


def verified_emails(user: User) -> list[str]:
    """The addresses `user` has proved, in lower case: what was bought under them as a guest is theirs too."""
    addresses = EmailAddress.objects.filter(user=user, verified=True).order_by("pk")
    return sorted({address.email.lower() for address in addresses})


class AccountData:
    """The account itself. Erased, it is a row without a name that nobody can sign in to, so that the audit trail still
    tells one actor from another."""

    slug = "accounts"

    def export(self, user: User) -> dict[str, Any]:
        addresses = EmailAddress.objects.filter(user=user).order_by("pk")
        return {
            "email": user.email,
            "name": user.name,
            "language": user.locale,
            "joined_at": user.joined_at.isoformat(),
            "last_login": user.last_login.isoformat() if user.last_login else None,
            "groups": sorted(user.groups.values_list("name", flat=True)),
            "email_addresses": [
                {"email": row.email, "verified": row.verified, "primary": row.primary} for row in addresses
            ],
            "two_factor": sorted(Authenticator.objects.filter(user=user).values_list("type", flat=True)),
            "connected_logins": [
                {"provider": row.provider, "id": row.uid, "profile": row.extra_data}
                for row in SocialAccount.objects.filter(user=user).order_by("pk")
            ],
        }

    def erase(self, user: User) -> None:
        for model in (EmailAddress, Authenticator, SocialAccount):
            model.objects.filter(user=user).delete()
        user.groups.clear()
        user.user_permissions.clear()
        user.email = f"{user.public_id}@erased.invalid"
        user.name = user.locale = ""
        user.last_login = None
        user.is_active = user.is_staff = user.is_superuser = False
        user.set_unusable_password()  # ends every session: their hash no longer fits
        user.save()
