"""A state is written by `ticketing.transitions` and by nobody else (DESIGN 5)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import python_files, tree

WRITER = Path("apps/ticketing/transitions.py")
SQL = re.compile(
    r"\bupdate\b[^;]*\bset\b(?:(?!\b(?:where|from|returning)\b)[^;])*\bstate\"?\s*=", re.IGNORECASE | re.DOTALL
)
WRITING_CALLS = {"update", "update_or_create", "bulk_update", "save", "asave", "setattr"}


def writes(module: ast.Module) -> Iterator[int]:
    """Lines on which an existing row's `state` is written: assigned, updated, saved by name, or set in SQL."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Attribute) and target.attr == "state" for target in targets):
                yield node.lineno
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in WRITING_CALLS and (
                any(keyword.arg == "state" for keyword in node.keywords) or _names_state(node)
            ):
                yield node.lineno
        elif isinstance(node, ast.Constant | ast.JoinedStr) and SQL.search(_text(node)):
            yield node.lineno


def _names_state(call: ast.Call) -> bool:
    """Whether "state" stands among the call's literals: field lists, `setattr`, dictionaries of defaults."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg != "old")]
    parts = [part for argument in arguments for part in ast.walk(argument)]
    return any(isinstance(part, ast.Constant) and part.value == "state" for part in parts)


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return " ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


def test_state_is_written_by_transitions_only() -> None:
    found = [
        f"{path}:{line}"
        for path in python_files("apps")
        if path != WRITER and "migrations" not in path.parts
        for line in writes(tree(path))
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "order.state = 'paid'",
        "Order.objects.filter(pk=1).update(state='paid')",
        "Order.objects.bulk_update(rows, ['state', 'paid_at'])",
        "order.save(update_fields=['state'])",
        "setattr(order, 'state', 'paid')",
        "Order.objects.update_or_create(pk=1, defaults={'state': 'paid'})",
        "cursor.execute('UPDATE ticketing_order SET state = %s', ['paid'])",
        "cursor.execute(f'UPDATE {table} SET paid_at = now(), state = %s')",
    ],
)
def test_rule_notices_a_write(source: str) -> None:
    assert list(writes(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "Order.objects.create(state='queued')",
        "Order.objects.filter(state='queued').update(rank=1)",
        "move(order, 'paid', old='reserved')",
        "cursor.execute('SELECT state FROM ticketing_order WHERE state = %s')",
        "cursor.execute('UPDATE ticketing_payment SET checked_at = now() WHERE state = %s')",
        "if order.state == 'paid': pass",
    ],
)
def test_rule_allows_reading_and_creating(source: str) -> None:
    assert list(writes(ast.parse(source))) == []
