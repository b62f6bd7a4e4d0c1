"""What is cast is what was made, to the last row and file, and nobody shares it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.conf import LazySettings
from django.db import DatabaseError, connection, transaction

from apps.events import tenancy
from apps.events.models import EventPage, Organisation
from apps.ticketing.models import Posting
from tests import factories, mould
from tests.tenancy.world import World, make_world, sell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_files(settings: LazySettings, tmp_path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def build(calls: list[str]) -> Callable[[str], Organisation]:
    def counted(name: str) -> Organisation:
        calls.append(name)
        return tenancy.create_organisation(name)

    return counted


@contextmanager
def undone() -> Iterator[None]:
    """As if another test had been in between."""
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]
    with around:
        yield
        transaction.set_rollback(True)


def test_a_cast_is_what_was_made_to_the_last_row_and_file(settings: LazySettings, tmp_path) -> None:
    found = []
    for folder in ("made", "cast"):
        settings.MEDIA_ROOT = str(tmp_path / folder)
        with undone():
            ours, theirs = mould.cast(make_world, "Lyktan"), mould.cast(make_world, "Sexsidan")
            files = {name: (tmp_path / folder / name).read_bytes() for name in mould.files()}
            found.append((mould.rows(), files, ours, theirs))

    made, cast = found

    assert made == cast
    assert len(made[0]) > 100 and len(made[1]) == 4


def test_a_cast_can_be_worked_with_and_is_each_callers_own() -> None:
    for _ in range(2):
        with undone():
            world: World = mould.cast(make_world, "Lyktan")
            assert sell(world).state == "paid"
            assert EventPage.objects.get().body.get_prep_value() == world.page.body.get_prep_value()
            assert (world.organisation.name, world.event.organisation) == ("Föreningen Lyktan", world.organisation)
            world.organisation.name = "Another"
            world.organisation.save()


def test_what_guards_rows_guards_those_that_are_cast_too() -> None:
    for _ in range(2):
        with undone():
            sell(mould.cast(make_world, "Lyktan"))
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                Posting.objects.all()._raw_delete("default")  # type: ignore[attr-defined]
            with connection.cursor() as cursor:
                cursor.execute("SHOW session_replication_role")
                assert cursor.fetchone() == ("origin",)


def test_a_builder_is_asked_again_in_another_state_and_for_something_else(
    calls: list[str], build: Callable[[str], Organisation]
) -> None:
    def cast(name: str) -> Organisation:
        with undone():
            return mould.cast(build, name)

    cast("Lyktan"), cast("Lyktan"), cast("Sexsidan")
    assert calls == ["Lyktan", "Sexsidan"]

    tenancy.create_organisation("Before")
    first, second = cast("Lyktan"), cast("Lyktan")

    assert calls == ["Lyktan", "Sexsidan", "Lyktan"]
    assert first == second and first.pk


def test_an_old_mould_is_made_anew(
    calls: list[str], build: Callable[[str], Organisation], monkeypatch: pytest.MonkeyPatch
) -> None:
    with undone():
        mould.cast(build, "Lyktan")
    monkeypatch.setattr(mould, "FRESH_SECONDS", 0.0)
    with undone():
        mould.cast(build, "Lyktan")

    assert calls == ["Lyktan", "Lyktan"]


def test_rows_that_are_in_the_way_are_not_passed_over(build: Callable[[str], Organisation]) -> None:
    with undone():
        mould.cast(build, "Lyktan")
    factories.organisation(name="Lyktan", slug="lyktan")

    with pytest.raises(DatabaseError, match="already exists"), undone():
        mould.cast(build, "Lyktan")
