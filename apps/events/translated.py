"""Organisers' words outside pages, stored in Swedish and in English.

A model keeps two columns, `title_sv` and `title_en`; `title = Translated()` reads the one of the active language and
falls back to the other. What fell back is a `Fallback`, which knows its language: `{{ event.title|told }}` marks it
with `lang`, so that a screen reader says it right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from django.db import models
from django.utils.translation import get_language

LANGUAGES = ("sv", "en")


def active_language() -> str:
    """`sv` or `en`: the reader's language, Swedish when none is active."""
    language = (get_language() or "sv")[:2]
    return language if language in LANGUAGES else "sv"


class Fallback(str):
    """A text in another language than was asked for, because there is none in that."""

    language: str

    @classmethod
    def of(cls, text: str, language: str) -> Fallback:
        made = cls(text)
        made.language = language
        return made


def pick(swedish: str, english: str, language: str | None = None) -> str:
    """The text in `language` (default: the active one), else in the other as a Fallback."""
    if (language or active_language()) == "en":
        return english or (Fallback.of(swedish, "sv") if swedish else "")
    return swedish or (Fallback.of(english, "en") if english else "")


def joined(parts: Sequence[str], separator: str = ", ") -> str:
    """`parts` in one string; a Fallback when all of them are in the same other language."""
    languages = {part.language if isinstance(part, Fallback) else "" for part in parts}
    text = separator.join(parts)
    return Fallback.of(text, languages.pop()) if len(languages) == 1 and "" not in languages else text


def repeated(text: str, times: int) -> str:
    """“2 × beer”, or the text alone for one; a Fallback stays one."""
    told = f"{times} × {text}" if times > 1 else text
    return Fallback.of(told, text.language) if isinstance(text, Fallback) else told


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


def lacking(row: models.Model, *names: str) -> list[tuple[str, str]]:
    """(language, the field's name) of each text that `row` has in the other language alone."""
    found = []
    for name in names:
        texts = {language: getattr(row, f"{name}_{language}") for language in LANGUAGES}
        if any(texts.values()):
            empty = [language for language, text in texts.items() if not text]
            fields = [(language, row._meta.get_field(f"{name}_{language}")) for language in empty]
            found += [(language, str(getattr(field, "verbose_name", name))) for language, field in fields]
    return found
