"""The forms of the account's own pages."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import RequestLoginCodeForm as AllauthRequestLoginCodeForm
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.socialaccount.forms import DisconnectForm as AllauthDisconnectForm
from django import forms
from django.conf import settings
from django.contrib import messages
from django.utils.translation import gettext_lazy as _

from apps.accounts import claimed_addresses, ways_in
from apps.accounts.models import User


class ProfileForm(forms.ModelForm):
    """Name and language. The e-mail has pages of its own: a new one must be proved first."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        required=False,
        help_text=_("Stands on your tickets. The door sees your initials only."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    locale = forms.ChoiceField(
        label=_("Language"), choices=settings.LANGUAGES, help_text=_("For pages and for what we e-mail you.")
    )

    class Meta:
        model = User
        fields = ["name", "locale"]

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())


class _HeedsNoClaims(forms.Form):
    """Asks for an address to which the way in is mailed. That some account merely claims it counts for nothing."""

    def clean_email(self) -> str:
        claimed_addresses.strike(self.cleaned_data["email"] or "")
        return super().clean_email()  # type: ignore[misc]


class SignupForm(_HeedsNoClaims, AllauthSignupForm):
    """Sign-up with an e-mail address and a password."""


class ResetPasswordForm(_HeedsNoClaims, AllauthResetPasswordForm):
    """Where the link to a new password goes."""


class RequestLoginCodeForm(_HeedsNoClaims, AllauthRequestLoginCodeForm):
    """Where the code to sign in with goes."""


class DisconnectForm(AllauthDisconnectForm):
    """Take away one of the logins that open an account; never the last way into it."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = forms.Form.clean(self) or {}
        account = cleaned.get("account")
        if account is not None and not ways_in.remain(account.user, without=account):
            raise forms.ValidationError(
                _("This is the only way into your account. Confirm an e-mail address first, then remove it.")
            )
        return cleaned

    def save(self) -> None:
        """Of a login whose provider is no longer set up, allauth cannot say the name; it goes all the same."""
        account = self.cleaned_data["account"]
        if account.provider in ways_in.set_up():
            super().save()
        else:
            account.delete()
            messages.info(self.request, _("The login is removed."))
