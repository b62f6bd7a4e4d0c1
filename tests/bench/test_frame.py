"""The bench says what was missed, keeps what was measured, and has a floor that was measured too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from embedded import postgres

from bench import __main__ as bench
from bench import floor, frame
from bench.floor import Floor
from bench.frame import Figure, Row
from tests.processes import url_of_test_database

FLOOR = Floor(per_second=1000, ms=8)


def row(name: str = "made_up") -> Row:
    return Row(name, "Does nothing.", lambda house: [])


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("rate", 300, "/s", at_least=300), True),
        (Figure("rate", 299.9, "/s", at_least=300), False),
        (Figure("p95", 50, "ms", at_most=50), True),
        (Figure("p95", 50.1, "ms", at_most=50), False),
        (Figure("client", 3, "CPU s"), None),
    ],
    ids=["at least", "too few", "at most", "too many", "only to be known"],
)
def test_figure_is_held_against_its_target(figure: Figure, met: bool | None) -> None:
    assert figure.is_met is met


def test_ratio_is_to_the_floor_of_the_same_unit() -> None:
    figures = [Figure("rate", 250, "/s"), Figure("p95", 40, "ms"), Figure("size", 12, "kB")]

    lines = frame.as_results(row(), figures, FLOOR)

    assert [(line["floor"], line["ratio"]) for line in lines] == [(1000, 0.25), (8, 5.0), (None, None)]


def test_table_names_what_was_missed() -> None:
    lines = frame.as_results(row(), [Figure("rate", 10, "/s", at_least=300)], FLOOR)

    assert "MISSED" in frame.as_text(lines)
    assert "made_up" in frame.as_text(lines)


def test_rows_not_measured_now_stay_with_their_own_commit(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    frame.keep(frame.as_results(row("first"), [Figure("rate", 1, "/s")], FLOOR), path)
    before = json.loads(path.read_text())["rows"]

    frame.keep(frame.as_results(row("second"), [Figure("rate", 2, "/s")], FLOOR), path)
    frame.keep(frame.as_results(row("second"), [Figure("rate", 3, "/s")], FLOOR), path)

    rows = json.loads(path.read_text())["rows"]
    assert [(one["name"], one["value"]) for one in rows] == [("first", 1), ("second", 3)]
    assert rows[0] == before[0]
    assert {"commit", "machine", "time"} <= rows[1].keys()


def test_unknown_row_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["speed_of_light"]) == 2
    assert "no row speed_of_light" in capsys.readouterr().err


@pytest.mark.django_db
def test_floor_is_measured_on_the_database_under_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "SECONDS", 1)

    found = floor.measure(
        url_of_test_database(), postgres.find().folder / "pgbench", tmp_path / "sale.sql", connections=2
    )

    assert found.per_second > 10
    assert found.ms == pytest.approx(2000 / found.per_second, rel=0.2)
