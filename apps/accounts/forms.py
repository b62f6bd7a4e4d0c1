"""The one form of the account's own page."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

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
