"""Keeps a handful of processes running: starts them, restarts the ones that die, stops them in order."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded import processes
from embedded.errors import EmbeddedError, explain

DEATHS_ALLOWED, WITHIN_SECONDS = 5, 60.0
LONGEST_PAUSE_SECONDS = 8.0


@dataclass
class Child:
    """One process to keep running. `stage` orders the stop: stage 0 goes first; those of one stage go together."""

    name: str
    command: Sequence[str | Path]
    stage: int = 0
    nice: int = 0
    # What it gets when we are killed: a process with children of its own must be asked, the others may be shot.
    death_signal: int = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    start_again_at: float = 0.0
    log_from: int = 0


class Supervisor:
    """Runs children with their output in `logs/<name>.log`: `start`, `look` every now and then, `stop`."""

    def __init__(
        self, *, logs: Path, environment: Mapping[str, str], folder: Path, tell: Callable[[str], None]
    ) -> None:
        self.logs = logs
        self.environment = dict(environment)
        self.folder = folder
        self.tell = tell
        self.children: list[Child] = []

    def log_of(self, child: Child) -> Path:
        return self.logs / f"{child.name}.log"

    def start(self, child: Child) -> None:
        """Start a child and keep it. Raises EmbeddedError when its program cannot be run."""
        if child not in self.children:
            self.children.append(child)
        log = self.log_of(child)
        child.log_from = log.stat().st_size if log.exists() else 0
        try:
            child.process = processes.spawn(
                child.command,
                log=log,
                environment=self.environment,
                folder=self.folder,
                death_signal=child.death_signal,
                nice=child.nice,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(explain(f"Starting {child.name}", str(error), self.folder)) from error

    def look(self) -> None:
        """Restart whoever died, each time after a longer pause. Raises EmbeddedError when one dies again and again."""
        now = time.monotonic()
        for child in self.children:
            if child.process and processes.has_ended(child.process):
                code = processes.end(child.process)
                child.process = None
                child.deaths = [moment for moment in child.deaths if now - moment < WITHIN_SECONDS] + [now]
                if len(child.deaths) > DEATHS_ALLOWED:
                    raise self.gave_up(child)
                pause = min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** (len(child.deaths) - 1))
                child.start_again_at = now + pause
                self.tell(
                    f"{child.name} ended ({_how(code)}) and starts again in {pause:g} s; log: {self.log_of(child)}"
                )
            elif child.process is None and now >= child.start_again_at:
                self.start(child)

    def gave_up(self, child: Child) -> EmbeddedError:
        """The sentence for a child that does not stay up."""
        said = processes.tail(self.log_of(child), child.log_from)
        return EmbeddedError(f"{explain(child.name, said, self.logs)} (log: {self.log_of(child)})")

    def run(self, name: str, command: Sequence[str | Path], *, what: str) -> None:
        """Run a command to its end, its output in `logs/<name>.log`. Raises EmbeddedError when it fails."""
        child = Child(name, command)
        self.start(child)
        assert child.process
        while not processes.has_ended(child.process):
            time.sleep(0.05)
        self.children.remove(child)
        if processes.end(child.process) != 0:
            said = processes.tail(self.log_of(child), child.log_from)
            raise EmbeddedError(f"{explain(what, said, self.logs)} (log: {self.log_of(child)})")

    def stop(self, *, seconds: float) -> None:
        """Ask all to end, stage by stage (SIGTERM); `seconds` in each stage, then SIGKILL. Safe to repeat."""
        for stage in sorted({child.stage for child in self.children}):
            living = [child.process for child in self.children if child.stage == stage and child.process]
            for process in living:
                if not processes.has_ended(process):
                    process.send_signal(signal.SIGTERM)
            processes.wait_until(lambda living=living: all(map(processes.has_ended, living)), seconds)  # type: ignore[misc]
            for process in living:
                processes.end(process)
        self.children.clear()


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
