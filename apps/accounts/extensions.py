"""What the accounts app asks of others: a panel on "My pages", and the personal data each app holds."""

from __future__ import annotations

from typing import Any, Protocol

from django.http import HttpRequest
from django.utils.functional import Promise

from apps.accounts.models import User
from apps.accounts.registry import Registry


class MyPagePanel(Protocol):
    """One section of "My pages".

    Called once per view of the page, for a signed-in person. Not called for guests, in mails or in the administration.
    """

    slug: str

    @property
    def heading(self) -> str | Promise:
        """The words above the section; a plain attribute will do."""

    def render(self, request: HttpRequest, user: User) -> str:
        """Safe HTML of the section, or an empty string to leave it out. Reads only."""


class PersonalData(Protocol):
    """One app's holding of personal data, asked when a person exports or erases theirs.

    Not called when an organiser deletes an event: retention has its own job.
    """

    slug: str

    def export(self, user: User) -> dict[str, Any]:
        """Everything this app holds on `user`, as plain JSON values."""

    def erase(self, user: User) -> None:
        """Blank or delete it, inside the caller's transaction; what the books must keep stays, without a name."""


my_page_panels: Registry[MyPagePanel] = Registry("accounts.my_page_panels")
personal_data: Registry[PersonalData] = Registry("accounts.personal_data")
