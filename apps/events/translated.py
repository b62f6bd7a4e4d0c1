"""Organisers' words outside pages, stored in Swedish and in English.

A model keeps two columns, `title_sv` and `title_en`; `title = Translated()` reads the one of the active language and
falls back to the other. `language_of` tells which one it was, for the `lang` attribute of a fallback.
"""

from __future__ import annotations

from typing import Any, overload

from django.db import models
from django.utils.translation import get_language

LANGUAGES = ("sv", "en")


def active_language() -> str:
    """`sv` or `en`: the reader's language, Swedish when none is active."""
    language = (get_language() or "sv")[:2]
    return language if language in LANGUAGES else "sv"


def pick(swedish: str, english: str, language: str | None = None) -> str:
    """The text in `language` (default: the active one), else in the other."""
    return (english or swedish) if (language or active_language()) == "en" else (swedish or english)


class Translated:
    """Read-only attribute over the columns `<name>_sv` and `<name>_en`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Translated: ...
    @overload
    def __get__(self, instance: models.Model, owner: type) -> str: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return pick(getattr(instance, f"{self.name}_sv"), getattr(instance, f"{self.name}_en"))


def language_of(instance: models.Model, name: str) -> str:
    """The language in which `Translated` shows `name` right now: differs from the active one after a fallback."""
    wanted = active_language()
    other = "sv" if wanted == "en" else "en"
    return wanted if getattr(instance, f"{name}_{wanted}") or not getattr(instance, f"{name}_{other}") else other
