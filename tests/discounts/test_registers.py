"""Kobra and Sesam as processes that speak the real shapes, and what becomes of each way in which they may fail."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from config import doctor
from django.core.cache import cache
from django.db import connection

from apps.discounts import asking, memberships
from apps.discounts.extensions import Person, Silent, Verdict
from apps.discounts.sources import breaker, is_set_up
from apps.discounts.sources.kobra import Kobra
from apps.discounts.sources.sesam import Sesam
from apps.ticketing import clock
from tests.discounts.doubles import body, person
from tests.registries import LINS, SECRET, Registers, running

ALVA = Person(1, claims={"liu": {"liu_id": "alvek123", "norEduPersonLIN": LINS["alva"]}})
ALVA_BY_LIU_ID = Person(1, claims={"liu": {"liu_id": "AlvEk123"}})
BO = Person(2, claims={"liu": {"liu_id": "bober456", "norEduPersonLIN": LINS["bo"]}})
CLEO = Person(3, claims={"liu": {"liu_id": "cleos12", "norEduPersonLIN": LINS["cleo"]}})
NOBODY = Person(4, ("google@example.org",), {"google": {"sub": "1"}})
KEYS = ["LinTek", "lintek ", "Consensus"]
SOURCES = pytest.mark.parametrize("source", [Kobra(), Sesam()], ids=["kobra", "sesam"])


@pytest.fixture(scope="module")
def process() -> Iterator[Registers]:
    with running() as registers:
        yield registers


@pytest.fixture
def registers(process: Registers, settings: Any) -> Registers:
    for name, value in process.settings.items():
        setattr(settings, name, value)
    process.say("well")
    cache.clear()
    return process


@SOURCES
@pytest.mark.parametrize(
    ("somebody", "verdicts"),
    [
        (ALVA, ["yes", "yes", "no"]),
        (ALVA_BY_LIU_ID, ["yes", "yes", "no"]),
        (BO, ["no", "no", "no"]),
        (CLEO, ["no", "no", "no"]),  # an employee: the register knows of no such student
    ],
    ids=["member", "by LiU ID", "no member", "no student"],
)
def test_register_tells(source: Any, somebody: Person, verdicts: list[str], registers: Registers) -> None:
    told = source.memberships(somebody, KEYS)

    assert [str(told[key]) for key in KEYS] == verdicts


@SOURCES
def test_somebody_without_a_liu_login_is_not_asked_about(source: Any, registers: Registers) -> None:
    before = registers.asked()

    assert source.memberships(NOBODY, KEYS) == {}
    assert registers.asked() == before


BAD = (
    *("late", "drip", "cut", "error", "empty", "nonsense", "not_soap", "redirect", "huge", "bomb", "deep"),
    *("somebody_else", "denied"),
)


@SOURCES
@pytest.mark.parametrize("mode", BAD)
def test_register_that_fails_is_silent_in_time(source: Any, mode: str, registers: Registers) -> None:
    registers.say(mode)
    begun = time.monotonic()

    with pytest.raises(Silent) as silence:
        source.memberships(ALVA, KEYS)

    assert time.monotonic() - begun < 3.5
    assert SECRET not in str(silence.value) and LINS["alva"] not in str(silence.value)


@pytest.mark.parametrize("mode", ["no_union", "wrong_shape"])
def test_kobra_without_a_word_of_the_union_is_silent(mode: str, registers: Registers) -> None:
    registers.say(mode)

    with pytest.raises(Silent):
        Kobra().memberships(ALVA, KEYS)


def test_fault_of_sesam_is_not_a_no(registers: Registers) -> None:
    registers.say("fault")

    with pytest.raises(Silent):
        Sesam().memberships(ALVA, KEYS)


@SOURCES
@pytest.mark.parametrize("name", ["KOBRA_TOKEN", "SESAM_PASSWORD", "SESAM_USERNAME"])
def test_wrong_key_is_not_a_no(source: Any, name: str, registers: Registers, settings: Any) -> None:
    if not name.lower().startswith(source.slug):
        return
    setattr(settings, name, "wrong")

    with pytest.raises(Silent):
        source.memberships(ALVA, KEYS)


@SOURCES
def test_register_that_is_not_there_is_silent(source: Any, registers: Registers, settings: Any) -> None:
    settings.KOBRA_URL = settings.SESAM_URL = "http://127.0.0.1:9"

    with pytest.raises(Silent):
        source.memberships(ALVA, KEYS)


@SOURCES
def test_source_is_off_without_its_keys(source: Any, registers: Registers, settings: Any) -> None:
    assert is_set_up(source)
    settings.KOBRA_TOKEN = settings.SESAM_USERNAME = ""
    assert not is_set_up(source)


@SOURCES
def test_register_can_be_tried_without_asking_about_anybody(source: Any, registers: Registers) -> None:
    source.try_out()

    registers.say("error")
    with pytest.raises(Silent):
        source.try_out()


# --- The breaker -----------------------------------------------------------------------------------------------------


@SOURCES
def test_dead_register_costs_five_calls_and_not_one_for_each_person(source: Any, registers: Registers) -> None:
    registers.say("error")
    before = registers.asked().get(source.slug, 0)

    for _person in range(50):
        with pytest.raises(Silent):
            source.memberships(ALVA, KEYS)

    assert registers.asked()[source.slug] - before == breaker.FAILURES
    assert cache.get(source.breaker._open)


def test_one_call_tries_whether_the_outage_is_over(registers: Registers) -> None:
    source = Kobra()
    registers.say("error")
    for _person in range(breaker.FAILURES):
        with pytest.raises(Silent):
            source.memberships(ALVA, KEYS)
    before = registers.asked()["kobra"]
    cache.delete(source.breaker._open)  # half a minute later

    for _person in range(5):
        with pytest.raises(Silent):
            source.memberships(ALVA, KEYS)
    assert registers.asked()["kobra"] == before + 1

    cache.delete_many([source.breaker._open, source.breaker._probe])
    registers.say("well")
    assert source.memberships(ALVA, ["LinTek"]) == {"LinTek": Verdict.YES}
    assert source.memberships(BO, ["LinTek"]) == {"LinTek": Verdict.NO}


# --- Nothing else is kept --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["well", "somebody_else", "wrong_shape", "fault", "denied", "cut"])
def test_only_the_verdict_is_stored_and_nothing_is_logged(
    mode: str, registers: Registers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    alva = person(liu={"liu_id": "alvek123", "norEduPersonLIN": LINS["alva"]})
    kobra, sesam_body = body(source="kobra", key="LinTek"), body(source="sesam", key="LinTek")
    registers.say(mode)

    asking.ask(alva.pk, near=False)

    if mode == "well":
        verdicts = memberships.verdicts_of([alva.pk], clock.now())[alva.pk]
        assert verdicts == {kobra.pk: Verdict.YES, sesam_body.pk: Verdict.YES}
    assert SECRET not in caplog.text
    assert registers.settings["KOBRA_TOKEN"] not in caplog.text
    assert registers.settings["SESAM_PASSWORD"] not in caplog.text
    assert _tables_with(SECRET) == []
    cache_text = str(cache.get_many([Kobra.breaker._failed, Kobra.breaker._open]))
    assert SECRET not in cache_text


def _tables_with(word: str) -> list[str]:
    """Every table of the database in which a row holds the word."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{word}%"])
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def test_grep_through_the_database_would_find_a_name(db: None) -> None:
    person(name=f"Alva {SECRET}")

    assert _tables_with(SECRET) == ["accounts_user"]


def test_doctor_tells_which_registers_answer(registers: Registers, settings: Any) -> None:
    def told() -> list[tuple[str, str]]:
        return [(finding.subject, finding.level) for finding in doctor.registers()]

    assert told() == [("register: kobra", "ok"), ("register: sesam", "ok")]
    registers.say("denied")
    settings.SESAM_USERNAME = ""
    found = list(doctor.registers())
    assert [(finding.subject, finding.level) for finding in found] == [
        ("register: kobra", "warn"),
        ("register: sesam", "ok"),
    ]
    assert "it refuses our key (403)" in found[0].what and "Not set up" in found[1].what
