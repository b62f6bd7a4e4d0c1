"""The written facts about ticket codes: the file is what its script makes, and Python judges as it says."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from apps.ticketing import clock, credentials
from apps.ticketing.credentials import Claim, Forged, UnknownKey
from apps.ticketing.models import SigningKey
from tests.vectors import credentials as vectors

FACTS = json.loads(vectors.FILE.read_text(encoding="ascii"))
CASES = FACTS["cases"]


def hold_keys() -> None:
    """The house's keys as the vectors tell them: two live ones, one retired."""
    for number, key in vectors.KEYS.items():
        SigningKey.objects.create(
            key_id=number,
            private_key=key.private_bytes_raw().hex(),
            public_key=key.public_key().public_bytes_raw().hex(),
            created_at=clock.now(),
            retired_at=clock.now() if str(number) in FACTS["keys"]["retired"] else None,
        )
    credentials.forget_keys()


def judge(code: str) -> dict[str, Any]:
    """Python's verdict in the words of the vectors."""
    try:
        found = credentials.verify(code)
    except UnknownKey:
        return {"verdict": "unknown key"}
    except Forged:
        return {"verdict": "forged"}
    return {"verdict": "claim", "ticket": str(found.ticket), "version": found.version, "key_id": found.key_id}


def test_the_file_is_what_its_script_makes() -> None:
    assert vectors.FILE.read_text(encoding="ascii") == vectors.text()


def test_the_vectors_hold_every_verdict_and_no_case_twice() -> None:
    verdicts = [case["verdict"] for case in CASES]

    assert {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))} == {
        "claim": 5,
        "forged": 41,
        "unknown key": 4,
    }
    assert len({case["code"] for case in CASES}) == len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.django_db
def test_a_verifier_holds_the_live_keys_only() -> None:
    hold_keys()

    assert credentials.public_keys() == {int(key): value for key, value in FACTS["keys"]["live"].items()}


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_python_judges_as_the_vectors_say(case: dict[str, Any]) -> None:
    hold_keys()

    assert judge(case["code"]) == {key: value for key, value in case.items() if key not in ("name", "code")}


@pytest.mark.django_db
def test_our_own_signer_writes_the_code_of_the_vectors() -> None:
    """The format stands in two places; what the house signs is what the script puts together by itself."""
    hold_keys()
    case = next(case for case in CASES if case["name"] == "signed by the newer live key")

    class Dinner:
        public_id, credential_version = uuid.UUID(case["ticket"]), case["version"]

    assert credentials.sign(Dinner) == case["code"]
    assert credentials.verify(case["code"]) == Claim(uuid.UUID(case["ticket"]), 1, 8)
