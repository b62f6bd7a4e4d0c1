"""Our own source as syntax trees, for the tests that read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "events", "ticketing", "discounts", "resale", "checkin")


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the folders, relative to the repository, sorted."""
    return sorted(
        path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py") if path.is_file()
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def imported(module: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported anywhere in `module`, of `from a import b` also `a.b`.

    `package` is the dotted name of the module's package, to resolve relative imports.
    """
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def package_of(path: Path) -> str:
    return ".".join(path.parent.parts)
