"""The second step: a passkey, or a code from an app on one's phone (TOTP, RFC 6238), at sign-in and before what is
dangerous.

allauth keeps the secret, shows it once and asks for the code at sign-in. Here stands what it leaves open: a code opens
one thing once, in whichever process and also while Redis is away, and guessing ends after five wrong ones. Both are
noted in the row of the secret, under its lock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import time
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.accounts import keyring
from apps.accounts.plain_text import one_line

STEP_SECONDS = 30  # RFC 6238, 5.2: the step that every app uses
DIGITS = 6
# One step either way, for phones whose clock is off (RFC 6238, 6).
STEPS_AROUND = (-1, 0, 1)
WRONG_ONES = 5
WRONG_WITHIN_SECONDS = 300
LONGEST_NAME = 60
LAST_STEP, WRONG_AT = "last_step", "wrong_at"  # in Authenticator.data, beside the secret


STEPS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def is_set_up(user: Any) -> bool:
    """Whether this person has an app that makes codes for them, or a passkey."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=STEPS).exists()


def has_app(user: Any) -> bool:
    return Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists()


def has_passkey(user: Any) -> bool:
    return Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.WEBAUTHN).exists()


def confirmed(user: Any, code: str) -> bool:
    """Whether `code` is a fresh one from the person's app; it opens nothing a second time.

    False also for somebody without an app, for a code that was used, at sign-in too, and for five minutes after five
    wrong ones. Recovery codes do not count. Outside any transaction of the caller's, which could take back that the
    code was used. Locks the person's secret. Next: what was dangerous.
    """
    with transaction.atomic(durable=True):
        kept = Authenticator.objects.select_for_update().filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
        if kept is None:
            return False
        now = time.time()
        wrong_at = [at for at in kept.data.get(WRONG_AT, []) if now - at < WRONG_WITHIN_SECONDS]
        if len(wrong_at) >= WRONG_ONES:
            return False
        step = _step_of(decrypt(kept.data["secret"]), code, now, after=kept.data.get(LAST_STEP, 0))
        if step is None:
            kept.data[WRONG_AT] = [*wrong_at, now]
        else:
            kept.data |= {LAST_STEP: step, WRONG_AT: []}
        kept.save(update_fields=["data"])
    return step is not None


def ask_passkey(user: Any) -> dict[str, Any] | None:
    """What the browser needs to ask for a passkey of `user`, here and now; None where they have none. Good for one
    answer from this very browser: the challenge lies in its session. Within a request. Next: confirmed_by_passkey."""
    return {"request_options": auth.begin_authentication(user)} if has_passkey(user) else None


def confirmed_by_passkey(user: Any, answer: str) -> bool:
    """Whether `answer`, as the browser's script wrote it, is the passkey's of `user` to what `ask_passkey` asked; it
    opens nothing a second time. Within a request, outside any transaction. Next: what was dangerous."""
    try:
        credential = json.loads(answer)
        auth.parse_authentication_response(credential)
        used = auth.complete_authentication(user, credential)
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError):
        return False
    used.record_usage()
    return True


def _step_of(secret: str, code: str, now: float, *, after: int) -> int | None:
    """The step whose code this is, if it is a late enough one."""
    typed = "".join(code.split())
    present = int(now) // STEP_SECONDS
    steps = [present + offset for offset in STEPS_AROUND if present + offset > after]
    return next((step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), typed.encode())), None)


def code_at(secret: str, step: int) -> str:
    """The code of one step of 30 seconds since 1970 (RFC 4226, 5.3)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()  # what apps do, whatever else they offer
    offset = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}d}"


class SecondStepAdapter(DefaultMFAAdapter):
    """Secrets lie in the database under the house's keys; the app on the phone shows the house's name."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _(
            "That code is not right, or was used before. Wait until the app shows the next one and write that."
        ),
    }

    def encrypt(self, text: str) -> str:
        return keyring.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return keyring.decrypt(encrypted_text)


class _CodeOnce:
    """Looks at a code from the app by `confirmed`, and at a recovery code as allauth does."""

    user: Any
    cleaned_data: dict[str, Any]
    authenticator: Authenticator
    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label = _("Code")
        field.help_text = _("The six digits that your app shows now. Lost your phone? Write a recovery code instead.")
        field.widget.attrs |= {"inputmode": "numeric", "autofocus": True, "autocapitalize": "none"}

    def clean_code(self) -> str:
        forget_tries = check_rate_limit(self.user)
        code: str = self.cleaned_data["code"]
        written = Authenticator.objects.filter(user=self.user).exclude(type=Authenticator.Type.WEBAUTHN)
        for kept in written.order_by("pk"):
            is_app = kept.type == Authenticator.Type.TOTP
            if confirmed(self.user, code) if is_app else kept.wrap().validate_code(code):
                kept.user = self.user
                self.authenticator = kept
                forget_tries()
                return code
        raise SecondStepAdapter().validation_error("incorrect_code")


class SignInForm(_CodeOnce, AuthenticateForm):
    """The second step of signing in."""


class StillYouForm(_CodeOnce, ReauthenticateForm):
    """Once more, before a page that changes how one signs in."""


class AddPasskeyForm(AddWebAuthnForm):
    """A passkey's name, and that it signs one in by itself, which is what most want."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields["name"]
        name.label, name.initial, name.max_length = _("What you call it"), "", LONGEST_NAME
        name.help_text = _("Such as “phone” or “blue key”, to tell them apart.")
        name.widget.attrs |= {"maxlength": LONGEST_NAME, "autocomplete": "off"}
        self.initial.pop("name", None)
        alone = self.fields["passwordless"]
        alone.label, alone.initial = _("It signs me in by itself, without a password"), True
        alone.help_text = ""

    def clean_name(self) -> str:
        return one_line(self.cleaned_data["name"])[:LONGEST_NAME] or str(_("Passkey"))


class RenamePasskeyForm(EditWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = forms.CharField(label=_("What you call it"), max_length=LONGEST_NAME)
