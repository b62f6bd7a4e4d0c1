"""Registers the account's own personal data when Django is ready."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from allauth.account.signals import email_confirmed, password_reset

        from apps.accounts.claimed_addresses import forget_claims, forget_claims_at_reset
        from apps.accounts.extensions import personal_data
        from apps.accounts.personal_data import AccountData

        personal_data.register(AccountData())
        email_confirmed.connect(forget_claims, dispatch_uid="accounts.forget_claims")
        password_reset.connect(forget_claims_at_reset, dispatch_uid="accounts.forget_claims_at_reset")
