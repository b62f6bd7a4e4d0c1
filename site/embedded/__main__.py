"""`python -m embedded run --for PURPOSE -- COMMAND...` runs a command with PostgreSQL and Redis under it;
`python -m embedded manage ...` runs `manage.py` beside the running demo.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys

import embedded
from embedded import beside, processes


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code (128 + n when signal n ended it)."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="start the services, run a command on them, stop them")
    run.add_argument("--for", dest="purpose", default="run", help='whose data and ports: "demo", "test", "run"')
    run.add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND and its arguments")
    manage = actions.add_parser("manage", help="run manage.py beside the running demo")
    manage.add_argument("command", nargs=argparse.REMAINDER, help="a command of manage.py and its arguments")
    chosen = parser.parse_args(arguments)
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    if not command:
        parser.error("a command is missing")
    try:
        if chosen.action == "manage":
            return beside.manage(command)
        with embedded.start(chosen.purpose) as services:
            return _run(command, {**os.environ, **services.environment()})
    except embedded.EmbeddedError as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: list[str], environment: dict[str, str]) -> int:
    launcher = os.getpid()
    try:
        process = subprocess.Popen(
            command, env=environment, preexec_fn=lambda: processes.die_with_parent(signal.SIGTERM, launcher)
        )
    except OSError as error:
        raise embedded.EmbeddedError(f"{command[0]} cannot be run: {error.strerror}.") from error

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    # Ctrl-C at a terminal reaches the command by itself; we only wait for it.
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
