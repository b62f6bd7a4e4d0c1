"""Prices as organisers type them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from apps.ticketing.price_field import HIGHEST_SUM_MINOR, PriceField


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("250", 25_000),
        ("249,50", 24_950),
        ("249.5", 24_950),
        ("1 250", 125_000),
        ("1\u00a0250 kr", 125_000),
        ("250:-", 25_000),
        ("SEK 250", 25_000),
        ("0", 0),
        ("  0,05 ", 5),
    ],
)
def test_price_is_read_in_kronor_and_stored_in_minor_units(typed: str, minor: int) -> None:
    assert PriceField().clean(typed) == minor


@pytest.mark.parametrize(("typed", "minor"), [("-10", -1_000), ("−10 kr", -1_000), ("+140", 14_000), ("", None)])
def test_difference_carries_a_sign(typed: str, minor: int | None) -> None:
    assert PriceField(signed=True, required=False).clean(typed) == minor


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "required"),
        ("free", "in figures"),
        ("2e3", "in figures"),
        ("1.250,00", "in figures"),
        ("10,005", "two decimals"),
        ("-10", "below zero"),
        ("100001", "typing error"),
        ("٢٥٠", "in figures"),
    ],
)
def test_impossible_price_is_refused_in_a_sentence(typed: str, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        PriceField().clean(typed)


@pytest.mark.parametrize(
    ("minor", "shown"), [(25_000, "250"), (24_950, "249,50"), (0, "0"), (-1_000, "−10"), (5, "0,05")]
)
def test_stored_price_is_shown_as_it_would_be_typed(minor: int, shown: str) -> None:
    field = PriceField(signed=True)

    assert field.prepare_value(minor) == shown
    assert field.clean(shown) == minor
    assert not field.has_changed(minor, shown)


def test_sum_may_be_more_than_a_price() -> None:
    field = PriceField(highest_minor=HIGHEST_SUM_MINOR)

    assert field.clean("250 000") == 25_000_000
    with pytest.raises(ValidationError, match="typing error"):
        field.clean("20 000 001")
