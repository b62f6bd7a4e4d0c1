"""The code field of the ticket form: what a buyer types becomes tokens, and a code that opens nothing gets a sentence.

What a code does only plugins know (`extensions.TakesCodes`); the token of LINTEK24 is `code:LINTEK24`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext_lazy as _

from apps.accounts.plain_text import one_line
from apps.ticketing import pricing, reasons
from apps.ticketing.code_guesses import Guesser
from apps.ticketing.context import PurchaseContext

FIELD = "discount_code"
PREFIX = "code:"
LONGEST = 120  # of the field; several codes are written with commas between them
MOST = 3

CODE_UNKNOWN = reasons.register(
    "discount_code_unknown", _("There is no such code for this event. Nothing was charged. Look at how it is written.")
)


def typed(data: Mapping[str, str]) -> str:
    """What stands in the field."""
    return one_line(data.get(FIELD, ""))[:LONGEST]


def tokens_of(text: str) -> tuple[str, ...]:
    """The tokens of what was typed, each code once."""
    words = ("".join(word.split()).upper() for word in text.replace(";", ",").split(","))
    return tuple(dict.fromkeys(f"{PREFIX}{word}" for word in words if word))[:MOST]


def without_codes(tokens: Iterable[str]) -> tuple[str, ...]:
    """Those that were not typed: a code counts only where `refusal` has judged it."""
    return tuple(token for token in tokens if not token.startswith(PREFIX))


def refusal(context: PurchaseContext, guesser: Guesser) -> str:
    """Why one of the context's codes opens nothing: a code from `reasons`; empty when all are good. Codes that there
    are not count against `guesser`; one that has tried too many is told nothing of any code."""
    wanted = [token for token in context.tokens if token.startswith(PREFIX)]
    if not wanted:
        return ""
    if spent := guesser.refusal():
        return spent
    judged = pricing.judge_codes(context)
    for token in wanted:
        if token not in judged:
            guesser.count(token)
    return next((reason for token in wanted if (reason := judged.get(token, CODE_UNKNOWN))), "")
