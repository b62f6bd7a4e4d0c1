"""What a builder makes, made once and cast again: its rows are written as they were, its files laid where they lay.

Two associations with everything they own take a quarter of a second and hundreds of queries; the same rows again take
one. A cast is for a database in the state the mould was made in, which is looked at by its page tree and its clock;
otherwise, or when the mould is older than `FRESH_SECONDS`, the builder itself is called and a new mould made. What
the process and Redis keep of rows goes by their numbers, which are the same in each cast: Redis is emptied.
"""

from __future__ import annotations

import pickle
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.utils.translation import get_language

from tests import emptying

FRESH_SECONDS = 90.0  # a builder's "in half an hour" is still that, near enough
# Whatever a builder hangs its own rows on: pages, collections and languages by number and place, groups by name.
STATE = """
SELECT (SELECT string_agg(concat(id, path, url_path), ',' ORDER BY id) FROM wagtailcore_page),
       (SELECT string_agg(concat(id, path), ',' ORDER BY id) FROM wagtailcore_collection),
       (SELECT string_agg(concat(id, language_code), ',' ORDER BY id) FROM wagtailcore_locale),
       (SELECT string_agg(name, ',' ORDER BY id) FROM auth_group),
       round(extract(epoch FROM foyer_now() - clock_timestamp()))
"""
Made = TypeVar("Made")
Rows = Counter[tuple[str, str]]
"""(table, row as PostgreSQL writes it)"""


@dataclass(frozen=True)
class Mould:
    """What a builder left: SQL that writes its rows, its files by path, and what it returned."""

    sql: str
    files: dict[str, bytes]
    returned: bytes
    made: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.made < FRESH_SECONDS


_moulds: dict[Hashable, Mould] = {}


def cast(build: Callable[..., Made], *arguments: Hashable, **facts: Hashable) -> Made:
    """What `build(*arguments, **facts)` returns, a copy of its own for each caller, with its rows in the database."""
    key = (build, arguments, tuple(facts.items()), settings.SITE_URL, get_language(), _state())
    mould = _moulds.get(key)
    if mould is None or not mould.is_fresh:
        made, _moulds[key] = _make(lambda: build(*arguments, **facts))
        return made
    cache.clear()
    for name, content in mould.files.items():
        path = Path(settings.MEDIA_ROOT) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(mould.sql)
    return pickle.loads(mould.returned)


def rows() -> Rows:
    """All rows of the database but those that stay when it is emptied."""
    each = (f"SELECT '{table}', (t.*)::text FROM \"{table}\" t" for table in emptying.tables(connection))
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(each))
        return Counter(cursor.fetchall())


def files() -> set[str]:
    """The paths of all uploaded files."""
    root = Path(settings.MEDIA_ROOT)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def _make(build: Callable[[], Made]) -> tuple[Made, Mould]:
    rows_before, files_before = rows(), files()
    made = build()
    rows_after, root = rows(), Path(settings.MEDIA_ROOT)
    new = {name: (root / name).read_bytes() for name in files() - files_before}
    return made, Mould(_sql(rows_before - rows_after, rows_after - rows_before), new, pickle.dumps(made))


def _state() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(STATE)
        return cursor.fetchone()


def _sql(gone: Rows, come: Rows) -> str:
    """No trigger looks at these rows and no key is checked: all of that has happened when they were made."""
    delete = 'DELETE FROM "{0}" t WHERE (t.*)::text = ANY (%s)'
    insert = 'INSERT INTO "{0}" SELECT (one.whole).* FROM (SELECT r::"{0}" whole FROM unnest(%s) r OFFSET 0) one'
    with connection.cursor() as cursor:
        changes = [
            cursor.cursor.mogrify(change.format(table), [texts]).decode()
            for change, rows in ((delete, gone), (insert, come))
            for table, texts in _by_table(rows).items()
        ]
    as_replica = "SET LOCAL session_replication_role = {}"
    return "; ".join([as_replica.format("replica"), *changes, as_replica.format("origin")])


def _by_table(rows: Rows) -> dict[str, list[str]]:
    found = defaultdict(list)
    for table, text in rows.elements():
        found[table].append(text)
    return found
