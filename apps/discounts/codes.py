"""Codes as people type them and as they are kept: upper case, without spaces, `LINTEK24`.

A code travels with an order as the token `code:LINTEK24`. Many codes of one discount are made at once, each with a
budget of its own; they are drawn from letters and figures that nobody mistakes for one another.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable

from django.db import transaction

from apps.discounts.models import Code, Discount
from apps.discounts.models.discounts import LONGEST_CODE

PREFIX = "code:"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no I, O, 0, 1
DRAWN_LETTERS = 8  # 40 bits: a stranger finds none by trying
MOST_AT_ONCE = 2_000
WRITTEN = re.compile(rf"[0-9A-ZÅÄÖÉÜ_.+&!-]{{3,{LONGEST_CODE}}}")


class Taken(Exception):
    """Codes that the event has already; nothing was made."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(", ".join(texts))
        self.texts = texts


def normalise(text: str) -> str:
    """A code as it is kept, whatever way it was typed."""
    return "".join(unicodedata.normalize("NFKC", text).upper().split())[: LONGEST_CODE + 1]


def is_code(text: str) -> bool:
    """Whether a normalised text may be a code: 3 to 40 letters, figures and a few signs."""
    return WRITTEN.fullmatch(text) is not None


def is_token(token: str) -> bool:
    """Whether a token of an order is a code."""
    return token.startswith(PREFIX)


def text_of(token: str) -> str:
    """The code that a token carries."""
    return normalise(token[len(PREFIX) :])


def of_tokens(tokens: Iterable[str]) -> list[str]:
    """The codes among an order's tokens, each once."""
    return list(dict.fromkeys(text_of(token) for token in tokens if is_token(token)))


def draw(number: int, *, prefix: str = "") -> list[str]:
    """So many new codes, all different. They are checked against those there are when they are made."""
    found: set[str] = set()
    while len(found) < number:
        found.add(prefix + "".join(secrets.choice(LETTERS) for _ in range(DRAWN_LETTERS)))
    return sorted(found)


@transaction.atomic
def make(discount: Discount, texts: Iterable[str], *, size: int | None, note: str = "") -> list[Code]:
    """Make these codes of one discount, each for `size` tickets. All or none: raises Taken."""
    wanted = list(dict.fromkeys(texts))
    known = sorted(Code.objects.filter(event=discount.event_id, text__in=wanted).values_list("text", flat=True))
    if known:
        raise Taken(known)
    return Code.objects.bulk_create(
        Code(discount=discount, event_id=discount.event_id, text=text, size=size, note=note) for text in wanted
    )
