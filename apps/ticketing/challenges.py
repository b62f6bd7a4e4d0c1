"""A proof of work that an event may demand of guests: no puzzle, a few hundred thousand hashes by their browser.

It makes every place in a queue cost computing time, which one person with one browser does not notice and a machine
that wants thousands of places does. It tells no person from a robot, and asks nothing of whoever is signed in.

A challenge is signed and kept nowhere: until when, how hard, and a seed that is an HMAC over both, the event and the
form's idempotency key. So a solution is good for one form, and the database's UNIQUE over that key makes it good for
one order. It is solved in `static/ticketing/challenge-worker.js`: for each of 16 pieces find a counter so that

    int(first 4 bytes of SHA-256(seed + one hex digit of the piece + seven of the counter)) * hardness < 2**32

Sixteen small pieces instead of one large: how long it takes then varies by a quarter instead of by its whole.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from apps.events.models import Event

PIECES = 16
# Hashes that a piece takes on average. Sixteen times that is some 0.3 s on a laptop (docs/decisions/0005). What was
# made easier is not taken.
HARDNESS = 36_000
LASTS_SECONDS = 3600
# Kept a little longer than said, so that nobody is refused for what was on its way.
GRACE_SECONDS = 120
TOKEN = re.compile(r"([0-9]{10})\.([0-9]{1,9})\.([0-9a-f]{32})")
ANSWER = re.compile(r"[0-9a-f]{7}(\.[0-9a-f]{7}){15}")


class Verdict(TextChoices):
    """What became of a sent challenge."""

    SOLVED = "solved", _("solved")
    MISSING = "missing", _("not solved")
    OVER = "over", _("too old")
    WRONG = "wrong", _("wrong")


@dataclass(frozen=True)
class Challenge:
    """What a form carries: `token` is sent back as it is; the browser needs `seed` and `hardness`."""

    token: str
    seed: str
    hardness: int
    pieces: int = PIECES


def issue(event: Event, key: str, *, hardness: int | None = None, at: float | None = None) -> Challenge:
    """A challenge for the form with this idempotency key, for an hour. By this machine's clock: no second matters."""
    until = int(time.time() if at is None else at) + LASTS_SECONDS
    hard = HARDNESS if hardness is None else hardness
    seed = _seed(event, key, until, hard)
    return Challenge(f"{until}.{hard}.{seed}", seed, hard)


def check(event: Event, key: str, token: str, answer: str, *, at: float | None = None) -> Verdict:
    """Whether `answer` solves the challenge of the form with this key. Sixteen hashes and one HMAC; reads nothing."""
    parts = TOKEN.fullmatch(token)
    if not answer or parts is None:
        return Verdict.MISSING
    until, hardness, seed = int(parts[1]), int(parts[2]), parts[3]
    if not constant_time_compare(seed, _seed(event, key, until, hardness)) or hardness < HARDNESS:
        return Verdict.WRONG
    if (time.time() if at is None else at) > until + GRACE_SECONDS:
        return Verdict.OVER
    if not ANSWER.fullmatch(answer):
        return Verdict.WRONG
    solved = all(is_solved(seed, piece, counter, hardness) for piece, counter in enumerate(answer.split(".")))
    return Verdict.SOLVED if solved else Verdict.WRONG


def is_solved(seed: str, piece: int, counter: str, hardness: int) -> bool:
    """Whether one piece is solved by a counter of seven hex digits."""
    digest = hashlib.sha256(f"{seed}{piece:x}{counter}".encode()).digest()
    return int.from_bytes(digest[:4], "big") * hardness < 1 << 32


def solve(challenge: Challenge) -> str:
    """The answer, as the browser finds it. For tests, the bench and whoever writes a client of their own."""
    found = []
    for piece in range(PIECES):
        counter = next(n for n in range(1 << 28) if is_solved(challenge.seed, piece, f"{n:07x}", challenge.hardness))
        found.append(f"{counter:07x}")
    return ".".join(found)


def _seed(event: Event, key: str, until: int, hardness: int) -> str:
    facts = f"{event.public_id}:{key}:{until}:{hardness}"
    return salted_hmac("ticketing.challenges", facts, algorithm="sha256").hexdigest()[:32]
