"""Readers that type: what a keyboard's layout makes of our QR code, and how to get the code back.

A reader that is plugged in pretends to be a keyboard. It presses the keys where its own layout has the characters; the
computer writes what *its* layout has there. Letters, digits, space, full stop and per cent lie alike, others do not:

    code            $       *       +       -       /       :
    written when an American reader is plugged into a Nordic computer
    Windows, Linux  ¤       (       ` *     +       -       Ö Æ Ø
    Mac             €       (       ` *     +       -       Ö Æ Ø
    written when a Nordic reader is plugged into an American computer
                    4 **    |       -       /       &       >

    *  a dead key: before a vowel it becomes À È Ì Ò Ù, before a space it swallows the space
    ** pressed with AltGr, which an American keyboard does not have: such a code cannot be got back

What was read is only ever believed for its signature, so that trying costs nothing but time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations

CODE_LENGTH = 126  # 84 bytes in base45
MOST_ATTEMPTS = 40
MOST_SWALLOWED = 3  # spaces behind a dead key; of 126 characters some 0.06 are such pairs

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_SYMBOLOGY = re.compile(r"^\][A-Za-z][0-9]")  # `]Q1`: readers may say which kind of code they read
_GRAVE = "\N{COMBINING GRAVE ACCENT}"
_NORDIC_HOST = str.maketrans({"¤": "$", "€": "$", "(": "*", "`": "+", "+": "-", "-": "/", "Ö": ":", "Æ": ":", "Ø": ":"})
_AMERICAN_HOST = str.maketrans({"|": "*", "-": "+", "/": "-", "&": "/", ">": ":"})


def candidates(text: str) -> Iterator[str]:
    """What the code on the picture may have been, the likeliest first, each CODE_LENGTH characters long.

    Nothing for a text that is no code of ours by its length. A first character may be a space, which forms and readers
    drop; control characters in between and a prefix that names the kind of code are the reader's own.
    """
    text = _SYMBOLOGY.sub("", _CONTROL.sub("", text).lstrip()).upper()
    met: set[str] = set()
    for read in _readings(text):
        if len(read) in (CODE_LENGTH - 1, CODE_LENGTH) and read not in met:
            met.add(read)
            yield read.rjust(CODE_LENGTH)
            if len(met) == MOST_ATTEMPTS:
                return


def _readings(text: str) -> Iterator[str]:
    """As it stands, which is nearly always right; then by each table."""
    yield text
    yield text.translate(_AMERICAN_HOST)
    yield from _swallowed(_dead_keys_apart(text))


def _dead_keys_apart(text: str) -> str:
    """`À` as the two keys that were pressed: the dead one, then the letter."""
    apart = []
    for letter in text:
        split = unicodedata.normalize("NFD", letter)
        apart.append("`" + split[0] if split[1:] == _GRAVE else letter)
    return "".join(apart)


def _swallowed(text: str) -> Iterator[str]:
    """`text` by the Nordic table, with spaces put back behind some of its dead keys where it is too short."""
    dead = [place for place, letter in enumerate(text) if letter == "`"]
    plain = text.translate(_NORDIC_HOST)
    missing = CODE_LENGTH - len(plain)
    for number in range(max(0, missing - 1), min(missing, MOST_SWALLOWED) + 1):
        for places in combinations(dead, number):
            whole = plain
            for place in reversed(places):
                whole = f"{whole[: place + 1]} {whole[place + 1 :]}"
            yield whole
