"""What strangers send, as it is kept."""

from __future__ import annotations

import pytest

from apps.accounts.plain_text import one_line


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" Alva \t Ek\r\n", "Alva Ek"),
        ("no\x00pe", "no pe"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("\u200dAlva\u200c \u200d Ek", "Alva Ek"),
        ("\u200d", ""),
        ("Alva\u202e\ud800Ek", "Alva Ek"),
    ],
    ids=["spaces", "control", "family", "persian", "nothing-joined", "only-a-joiner", "turned-and-broken"],
)
def test_one_line_keeps_words_whole(given: str, kept: str) -> None:
    assert one_line(given) == kept
