"""Proofs run at two sizes, repeat with their seed, and are written down only when they held."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from embedded import places

TESTS = """
import pytest

@pytest.mark.proof("adds-up", what="Numbers add up", full=1000, small=10)
def test_numbers_add_up(proof):
    total = sum(range(proof.n))
    proof.record(total=total, drawn=proof.random.random())
    assert total == proof.n * (proof.n - 1) // 2

@pytest.mark.proof("breaks", what="Large numbers break", full=1000, small=10)
def test_breaks_when_large(proof):
    proof.record(n=proof.n)
    assert proof.n < 100

def test_is_no_proof():
    assert True
"""


@pytest.fixture
def run(tmp_path: Path):
    (tmp_path / "test_claims.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def start(*arguments: str, **environment: str) -> tuple[int, str, dict[str, dict]]:
        proofs = tmp_path / "proofs"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FOYER_PROOF_", "PYTEST_"))}
        variables = {"FOYER_PROOF_FOLDER": str(proofs), "PYTHONPATH": str(places.CHECKOUT), **environment}
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "no:django",
                "-p",
                "tests.proofs",
                "-q",
                "--strict-markers",
                *arguments,
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=kept | variables,
        )
        return done.returncode, done.stdout + done.stderr, {p.stem: json.loads(p.read_text()) for p in proofs.glob("*")}

    return start


def test_all_tests_run_at_the_small_size_and_write_nothing(run) -> None:
    code, said, written = run()

    assert (code, written) == (0, {})
    assert "3 passed" in said
    assert "Proofs at small size with seed " in said


def test_the_full_size_writes_down_what_held_and_only_that(run) -> None:
    code, said, written = run("-m", "proof", FOYER_PROOF_SIZE="full", FOYER_PROOF_SEED="7")

    assert code == 1
    assert "1 failed, 1 passed, 1 deselected" in said
    assert list(written) == ["adds-up"]
    proof = written["adds-up"]
    assert list(proof) == ["what", "n", "seed", "seconds", "time", "commit", "machine", "results"]
    assert (proof["what"], proof["n"], proof["seed"]) == ("Numbers add up", 1000, 7)
    assert proof["results"]["total"] == 499500
    assert len(proof["commit"].removesuffix("+changes")) == 40


def test_the_same_seed_draws_the_same(run) -> None:
    drawn = [
        run("-m", "proof", FOYER_PROOF_SIZE="full", FOYER_PROOF_SEED=seed, FOYER_PROOF_ONLY="adds-up")[2]["adds-up"]
        for seed in ("7", "7", "8")
    ]

    first, again, other = (proof["results"]["drawn"] for proof in drawn)
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"FOYER_PROOF_ONLY": "nothing"}, "There is no proof 'nothing'; there are: adds-up, breaks."),
        ({"FOYER_PROOF_SEED": "seven"}, "SEED is 'seven', which is not a whole number."),
        ({"FOYER_PROOF_SIZE": "huge"}, 'SIZE may be "small" or "full", not \'huge\'.'),
    ],
)
def test_a_wrong_wish_is_one_sentence(run, environment: dict[str, str], sentence: str) -> None:
    code, said, written = run(**environment)

    assert (code, written) == (4, {})
    assert f"ERROR: {sentence}" in said
