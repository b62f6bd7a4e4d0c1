"""Amounts, days and times as LOOK 2 writes them."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils.translation import override

from apps.ticketing.money import Money

NB, MINUS = "\u00a0", "\u2212"
STOCKHOLM = ZoneInfo("Europe/Stockholm")
# 17.00 UTC in winter is 18.00 in Stockholm; one minute before midnight UTC on New Year's Eve is next year there.
EVENING = datetime(2026, 12, 12, 17, 0, tzinfo=ZoneInfo("UTC"))
NEW_YEAR = datetime(2026, 12, 31, 23, 59, tzinfo=ZoneInfo("UTC"))


def render(template: str, language: str, **context: object) -> str:
    with override(language):
        return Template("{% load foyer %}" + template).render(Context(context))


@pytest.mark.parametrize(
    ("minor", "currency", "swedish", "english"),
    [
        pytest.param(0, "SEK", f"0{NB}kr", f"SEK{NB}0", id="nothing"),
        pytest.param(25_000, "SEK", f"250{NB}kr", f"SEK{NB}250", id="whole"),
        pytest.param(123_450, "SEK", f"1{NB}234,50{NB}kr", f"SEK{NB}1,234.50", id="thousands-and-decimals"),
        pytest.param(-6_000, "SEK", f"{MINUS}60{NB}kr", f"{MINUS}SEK{NB}60", id="negative"),
        pytest.param(5, "SEK", f"0,05{NB}kr", f"SEK{NB}0.05", id="small"),
        pytest.param(1_000_000_000, "SEK", f"10{NB}000{NB}000{NB}kr", f"SEK{NB}10,000,000", id="millions"),
        pytest.param(1_250, "EUR", f"12,50{NB}€", f"EUR{NB}12.50", id="euro"),
    ],
)
def test_money_is_written_by_language(minor: int, currency: str, swedish: str, english: str) -> None:
    assert render("{{ amount|money:currency }}", "sv", amount=minor, currency=currency) == swedish
    assert render("{{ amount|money:currency }}", "en", amount=minor, currency=currency) == english
    assert render("{{ amount|money }}", "sv", amount=Money(minor, currency)) == swedish


@pytest.mark.parametrize(
    ("minor", "swedish", "english"),
    [
        pytest.param(14_000, f"+140{NB}kr", f"+SEK{NB}140", id="adds"),
        pytest.param(-1_000, f"{MINUS}10{NB}kr", f"{MINUS}SEK{NB}10", id="takes-off"),
    ],
)
def test_delta_carries_its_sign(minor: int, swedish: str, english: str) -> None:
    assert render('{{ amount|delta:"SEK" }}', "sv", amount=minor) == swedish
    assert render('{{ amount|delta:"SEK" }}', "en", amount=minor) == english


def test_delta_of_nothing_is_included() -> None:
    assert render('{{ amount|delta:"SEK" }}', "en", amount=0) == "included"


@pytest.mark.parametrize(
    ("filters", "value", "swedish", "english"),
    [
        pytest.param("day:zone", EVENING, "lör 12 dec", "Sat 12 Dec", id="day"),
        pytest.param("day:zone", NEW_YEAR, "fre 1 jan", "Fri 1 Jan", id="day-over-midnight"),
        pytest.param("day", date(2026, 5, 4), "mån 4 maj", "Mon 4 May", id="date-alone"),
        pytest.param("long_day:zone", EVENING, "Lördag 12 december", "Saturday 12 December", id="long-day"),
        pytest.param("clock_time:zone", EVENING, "18.00", "18:00", id="clock-time"),
        pytest.param('clock_time:"America/New_York"', EVENING, "12.00", "12:00", id="clock-time-by-name"),
        pytest.param("moment:zone", EVENING, f"lör{NB}12{NB}dec{NB}18.00", f"Sat{NB}12{NB}Dec{NB}18:00", id="moment"),
    ],
)
def test_times_are_written_by_language_in_the_events_zone(
    filters: str, value: object, swedish: str, english: str
) -> None:
    assert render("{{ value|" + filters + " }}", "sv", value=value, zone=STOCKHOLM) == swedish
    assert render("{{ value|" + filters + " }}", "en", value=value, zone=STOCKHOLM) == english


@pytest.mark.parametrize("name", ["money", "delta", "day", "long_day", "clock_time", "moment"])
def test_a_missing_value_is_written_as_nothing(name: str) -> None:
    assert render("{{ value|" + name + " }}", "sv", value=None) == ""
