"""Every reason for which a person is refused has its sentence in both languages."""

from __future__ import annotations

import re

import pytest
from django.utils.translation import override

from apps.ticketing import reasons

MONEY = {
    "en": re.compile(r"charged|money was taken|sent back|on its way back"),
    "sv": re.compile(r"debiterats|dragits|drogs|draget|tillbaka"),
}
OURS = sorted(code for code in reasons.codes() if not code.startswith("specimen_"))  # a stranger's are theirs


@pytest.mark.parametrize("code", OURS)
def test_reason_has_a_sentence_in_swedish_and_in_english(code: str) -> None:
    with override("en"):
        english = reasons.sentence(code)
    with override("sv"):
        swedish = reasons.sentence(code)

    assert english.endswith(".") and swedish.endswith(".")
    assert english != swedish
    assert len(code) <= 40  # the columns that hold it


@pytest.mark.parametrize("language", MONEY)
@pytest.mark.parametrize("code", [code for code in OURS if not code.startswith("door_")])  # no money moves at the door
def test_sentence_for_a_buyer_says_whether_money_moved(code: str, language: str) -> None:
    with override(language):
        assert MONEY[language].search(reasons.sentence(code))
