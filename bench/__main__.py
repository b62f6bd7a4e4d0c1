"""Run the rows of the bench, all or the one that is named, print the table and keep it in `bench/results/latest.json`.

Exit code 1 when a target was missed or a row failed.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import embedded

from bench import frame, rows
from bench.house import House, set_up_django


def main(names: list[str]) -> int:
    """Measure the named rows, or all. Returns the exit code."""
    found = {module.name for module in pkgutil.iter_modules(rows.__path__)}
    unknown = set(names) - found
    if unknown:
        print(f"There is no row {', '.join(sorted(unknown))}; there are: {', '.join(sorted(found))}.", file=sys.stderr)
        return 2
    lines: list[dict[str, object]] = []
    failed = []
    with embedded.start("bench") as services:
        house = House(services)
        house.prepare()
        set_up_django(house.environment)
        for name in sorted(names or found):
            row: frame.Row = importlib.import_module(f"bench.rows.{name}").ROW
            print(f"{row.name}: {row.what}", flush=True)
            house.empty()
            floor = house.floor(connections=row.floor_connections)
            try:
                figures = row.measure(house)
            except AssertionError as error:
                print(f"{row.name} failed: {error}", file=sys.stderr, flush=True)
                failed.append(row.name)
                continue
            measured = frame.as_results(row, figures, floor)
            frame.keep(measured)
            lines += measured
    if lines:
        print(f"\n{frame.as_text(lines)}")
    return 1 if failed or any(line["met"] is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
