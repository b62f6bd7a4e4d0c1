"""Text that a stranger sends, made fit to be kept and compared."""

from __future__ import annotations

JOINERS = "\u200c\u200d"  # part of Persian and Indian words, and of emoji that are made of several


def one_line(text: str) -> str:
    """Text without control characters (the database takes no NUL) and with single spaces. What joins or parts the
    letters of one word stays inside it, and goes where it joins nothing."""
    kept = "".join(letter if letter.isprintable() or letter in JOINERS else " " for letter in text)
    return " ".join(word for word in (word.strip(JOINERS) for word in kept.split()) if word)
