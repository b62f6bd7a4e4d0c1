"""Proofs: tests whose claim is about numbers, and which therefore run at two sizes.

    @pytest.mark.proof("nothing-oversold", what="Nobody gets a place that is not there", full=10_000, small=200)
    def test_nothing_is_oversold_by_a_crowd(proof):
        buyers = make_buyers(proof.n, proof.random)
        ...
        proof.record(sold=sold, slowest_ms=slowest)

A proof is an ordinary test and runs with all the others at its small size, under a random seed that the run prints.
`make proofs` runs only the proofs, at their full size, and writes `docs/proofs/<name>.json` for each that held: what,
n, seed, seconds, time, commit, machine and what the test recorded. `make proofs SIZE=small SEED=7 ONLY=its-name`
repeats one. Assertions do not depend on the size: what does not hold at the small one is not claimed at the full one.
"""

import json
import os
import platform
import random
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SIZES = ("small", "full")
HELD = pytest.StashKey["Proof"]()


@dataclass
class Proof:
    """What a proof's test gets: its size `n`, its `seed` with a generator made from it, and a place for its figures."""

    name: str
    what: str
    size: str
    n: int
    seed: int
    results: dict[str, Any] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.name} {self.seed}")

    def record(self, **results: Any) -> None:
        """Note figures for the written proof: anything JSON can hold, with the unit in the name (`slowest_ms`)."""
        self.results |= results

    def write(self, folder: Path) -> Path:
        """Write the proof down. The caller knows that it held."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        facts = {
            "what": self.what,
            "n": self.n,
            "seed": self.seed,
            "seconds": round(time.monotonic() - self.begun, 1),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "machine": machine(),
            "results": self.results,
        }
        path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
        return path


@pytest.fixture
def proof(request: pytest.FixtureRequest, proof_size: str, proof_seed: int) -> Proof:
    """The size, the seed and the record of this proof. The test carries the marker that names it."""
    marker = request.node.get_closest_marker("proof")
    if marker is None:
        raise pytest.UsageError(
            f'{request.node.nodeid} uses "proof" without @pytest.mark.proof(name, what=, full=, small=).'
        )
    made = Proof(marker.args[0], marker.kwargs["what"], proof_size, marker.kwargs[proof_size], proof_seed)
    request.node.stash[HELD] = made
    return made


@pytest.fixture(scope="session")
def proof_size() -> str:
    """ "small" within the tests, "full" in `make proofs`."""
    return _size()


@pytest.fixture(scope="session")
def proof_seed() -> int:
    """The seed of this run, printed at its head: random unless FOYER_PROOF_SEED names one."""
    return int(os.environ["FOYER_PROOF_SEED"])


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed once, in the environment, so that all workers of a run share it. Raises UsageError."""
    config.addinivalue_line("markers", "proof(name, *, what, full, small): a claim about numbers; see tests/proofs.py")
    if not os.environ.get("FOYER_PROOF_SEED"):
        os.environ["FOYER_PROOF_SEED"] = str(random.SystemRandom().randrange(1_000_000))
    if not os.environ["FOYER_PROOF_SEED"].isdigit():
        raise pytest.UsageError(f"SEED is {os.environ['FOYER_PROOF_SEED']!r}, which is not a whole number.")
    if _size() not in SIZES:
        raise pytest.UsageError(f'SIZE may be "small" or "full", not {_size()!r}.')


def pytest_sessionstart(session: pytest.Session) -> None:
    """Print size and seed; not as a report header, which -q hides."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal:
        seed = os.environ["FOYER_PROOF_SEED"]
        terminal.write_line(f"Proofs at {_size()} size with seed {seed}; SEED={seed} repeats them.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ONLY=name, leave that proof. Raises UsageError when there is none of that name, or two of one."""
    names: dict[str, pytest.Item] = {}
    for item in items:
        marker = item.get_closest_marker("proof")
        if marker and names.setdefault(marker.args[0], item).nodeid.split("[")[0] != item.nodeid.split("[")[0]:
            raise pytest.UsageError(f"Two proofs are called {marker.args[0]!r}.")
    only = os.environ.get("FOYER_PROOF_ONLY")
    if not only:
        return
    if only not in names:
        raise pytest.UsageError(f"There is no proof {only!r}; there are: {', '.join(sorted(names)) or 'none'}.")
    kept = [item for item in items if (marker := item.get_closest_marker("proof")) and marker.args[0] == only]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Write a proof down once its test has passed at full size. A failing test raises through here, unwritten."""
    outcome = yield
    proof = item.stash.get(HELD, None)
    if proof and proof.size == "full":
        proof.write(Path(os.environ.get("FOYER_PROOF_FOLDER") or ROOT / "docs" / "proofs"))
    return outcome


def commit() -> str:
    """The commit the proof ran on, with "+changes" when the checkout differs from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    return (git("rev-parse", "HEAD") or "unknown") + (
        "+changes" if git("status", "--porcelain", "--", ".", ":(exclude)docs/proofs") else ""
    )


def machine() -> str:
    """The machine in one line: what a reader needs to place the times."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = platform.python_version()
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, Python {python}"


def _size() -> str:
    return os.environ.get("FOYER_PROOF_SIZE") or "small"
