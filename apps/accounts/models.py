"""People who sign in. A guest who buys without an account is not here: their address lives on the order."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.accounts.ids import new_public_id
from apps.accounts.privacy import ACCOUNT, Personal, fields


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        """Create a person who signs in with `email`, stored in lower case."""
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """One person, known by e-mail. Rights come from the groups of their Organisations."""

    ORGANISATION_PATH = None  # a person may work for several, or for none

    public_id = models.UUIDField(default=new_public_id, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    locale = models.CharField(_("language"), max_length=5, blank=True)
    is_staff = models.BooleanField(_("may enter the administration"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    PERSONAL = {
        "email": Personal("to sign in and be reached", ACCOUNT),
        "name": Personal("to be addressed and named on tickets", ACCOUNT),
        "locale": Personal("to be written to in one's language", ACCOUNT),
        "last_login": Personal("to notice misuse", ACCOUNT),
        "joined_at": Personal("to notice misuse", ACCOUNT),
        "password": Personal("to sign in (a hash)", ACCOUNT),
    }
    NOT_PERSONAL = fields("id public_id is_staff is_active is_superuser groups user_permissions")

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [models.UniqueConstraint(Lower("email"), name="accounts_user_email_ci")]

    def __str__(self) -> str:
        return self.get_full_name()

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email
