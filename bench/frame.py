"""What a row of the bench is, what it returns, and how that is printed and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench.floor import Floor
from tests.proofs import commit, machine

if TYPE_CHECKING:
    from bench.house import House

LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True)
class Figure:
    """One number a row found. Rates and times have a floor; others (kB) have none.

    Exactly one of `at_least` and `at_most` is the target that must be met; `aim` is what we would like to see. With
    neither, the figure is printed to be known and judged by nobody.
    """

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None

    @property
    def target(self) -> float | None:
        return self.at_least if self.at_least is not None else self.at_most

    @property
    def is_met(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    def floor(self, floor: Floor) -> float | None:
        """What the bare database does in this unit, if that can be compared."""
        if self.unit in ("/s", "per CPU second"):
            return floor.per_second
        if self.unit == "ms":
            return floor.ms
        return None


@dataclass(frozen=True)
class Row:
    """One row of the bench: its name for `ONLY=`, what it does in a sentence, and the function that does it.

    `measure` gets a house with an empty, migrated database. It raises AssertionError when what it measured did not
    work: a fast wrong answer is no figure.
    """

    name: str
    what: str
    measure: Callable[[House], Sequence[Figure]]
    floor_connections: int = 8


def as_results(row: Row, figures: Sequence[Figure], floor: Floor) -> list[dict[str, object]]:
    """One line of the table per figure."""
    lines: list[dict[str, object]] = []
    for figure in figures:
        bare = figure.floor(floor)
        lines.append(
            {
                "name": row.name,
                "what": figure.what,
                "value": round(figure.value, 2),
                "unit": figure.unit,
                "floor": round(bare, 2) if bare else None,
                "ratio": round(figure.value / bare, 3) if bare else None,
                "target": figure.target,
                "bound": "at least" if figure.at_least is not None else "at most" if figure.at_most is not None else "",
                "aim": figure.aim,
                "met": figure.is_met,
            }
        )
    return lines


def as_text(lines: Sequence[dict[str, object]]) -> str:
    """The lines as a table for a terminal."""
    head = ("row", "what", "value", "target", "aim", "floor", "ratio", "")
    rows = [
        (
            str(line["name"]),
            str(line["what"]),
            f"{line['value']:g} {line['unit']}",
            f"{line['bound']} {line['target']:g}" if line["target"] is not None else "",
            f"{line['aim']:g}" if line["aim"] is not None else "",
            f"{line['floor']:g}" if line["floor"] is not None else "",
            f"{line['ratio']:g}" if line["ratio"] is not None else "",
            {True: "met", False: "MISSED", None: ""}[line["met"]],  # type: ignore[index]
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)
    )


def keep(lines: Sequence[dict[str, object]], path: Path = LATEST) -> None:
    """Write the rows measured now into the results; rows not measured now stay as they were, with their own commit."""
    stamp = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
    }
    names = {line["name"] for line in lines}
    old = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = [row for row in old if row["name"] not in names] + [{**line, **stamp} for line in lines]
    path.parent.mkdir(exist_ok=True)
    rows.sort(key=lambda row: row["name"])
    path.write_text(json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n")
