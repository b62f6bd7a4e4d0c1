"""`make demo`: the whole house on one machine, until Ctrl-C.

Services, database, demo data, then the processes: site, live, cron, the two workers and the mailbox. A second start
skips what the first has done when nothing it depends on has changed. What goes wrong is one sentence and exit code 1.
"""

import contextlib
import hashlib
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType

import embedded
from embedded import beside, places, processes
from embedded.errors import EmbeddedError
from embedded.steps import fail, step
from embedded.supervisor import Child, Supervisor

ROOT = places.CHECKOUT
PORTS = {
    "PORT": (8000, "the site"),
    "LIVE_PORT": (8001, "the live status"),
    "MAIL_PORT": (8025, "the mailbox"),
    "SMTP_PORT": (1025, "mail to the mailbox"),
    "IDENTITY_PORT": (9400, "who stands in for LiU and Google"),
}
# With STRIPE_PORT the tests' own Stripe runs beside the demo, so that buyers may pay by it too (docs/stripe.md).
STRIPE_PORT = {"STRIPE_PORT": (12111, "Stripe's stand-in")}
STRIPE_STAND_IN = {
    "STRIPE_SECRET_KEY": "sk_test_foyer0123456789",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_foyer0123456789",
    "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_demo",
}
# Somebody to sign in at: the tests' stand-in, which asks for no password. Production refuses its address.
LOGINS_STAND_IN = {
    "LIU_CLIENT_ID": "foyer-demo",
    "LIU_CLIENT_SECRET": "of the demo",
    "LIU_CLAIMS": "eduPersonPrimaryAffiliation,studentUnion",
    "OIDC_LOGINS": "google-like",
    "OIDC_GOOGLE_LIKE_NAME": "Google (låtsas)",
    "OIDC_GOOGLE_LIKE_CLIENT_ID": "foyer-demo",
    "OIDC_GOOGLE_LIKE_CLIENT_SECRET": "of the demo",
}
# What the prepared database depends on: our code and pages, and the packages under them.
PREPARED_FROM = ("apps", "site", "themes", "requirements/embedded.txt", "pyproject.toml", "manage.py")
READY_SECONDS = 90
STOP_SECONDS = 3.0
BEHIND_THE_SITE = ("worker", "cron")


class Stop(BaseException):
    """Ctrl-C or SIGTERM: go, wherever we are. Not an Exception, so that nobody takes it for an error."""


def main() -> int:
    """Run the demo. Returns the exit code: 0 when it was stopped by its user, 1 when something was in the way."""
    begun = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup asks us to outlive the terminal
        signal.signal(signal.SIGHUP, _stop)
    try:
        _insist_on_being_alone()
        ports = choose_ports()
        with _services() as services:
            _run(services, ports, begun)
    except Stop:
        return 0
    except EmbeddedError as error:
        return fail(error)
    return 0


def _insist_on_being_alone() -> None:
    """Raises EmbeddedError when this checkout's demo runs already. Asked before the ports: it is who holds them."""
    lock = places.Lock(ROOT / "var" / "demo")
    if lock.is_held():
        raise EmbeddedError(places.runs_already("demo", lock))


def choose_ports() -> dict[str, int]:
    """The ports of the demo, with Stripe's stand-in's if that is wanted, from the environment or the defaults. Raises
    EmbeddedError when one cannot be had."""
    chosen: dict[str, int] = {}
    wanted = {**PORTS, **STRIPE_PORT} if os.environ.get("STRIPE_PORT") else PORTS
    for name, (usual, what) in wanted.items():
        text = os.environ.get(name) or str(usual)
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise EmbeddedError(f"{name} is {text!r}, which is not a port number.")
        port = int(text)
        another = f"make demo {name}={port + 10 if port < 65000 else port - 10}"
        if port in chosen.values():
            raise EmbeddedError(f"Port {port} is wanted twice; choose another for {what}: {another}")
        if not places.is_free(port):
            raise EmbeddedError(f"Port {port} for {what} is taken by another program; choose another: {another}")
        chosen[name] = port
    return chosen


def environment(services: embedded.Services, ports: dict[str, int]) -> dict[str, str]:
    """What every process of the demo reads. Addresses the environment names already stay as they are."""
    usual = {
        "SITE_URL": f"http://localhost:{ports['PORT']}",
        "LIVE_URL": f"http://localhost:{ports['LIVE_PORT']}",
        "EMAIL_URL": f"smtp://127.0.0.1:{ports['SMTP_PORT']}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "LIU_URL": f"http://127.0.0.1:{ports['IDENTITY_PORT']}",
        "OIDC_GOOGLE_LIKE_ISSUER": f"http://127.0.0.1:{ports['IDENTITY_PORT']}/oidc",
        **LOGINS_STAND_IN,
    }
    if "STRIPE_PORT" in ports:
        usual |= {
            "STRIPE_API_BASE": f"http://127.0.0.1:{ports['STRIPE_PORT']}",
            "STRIPE_JS_URL": f"http://127.0.0.1:{ports['STRIPE_PORT']}/endive/stripe.js",
            **STRIPE_STAND_IN,
        }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MAKE", "FOYER_PROOF_"))}
    return {
        **usual,
        **kept,
        **services.environment(),
        "FOYER_ENV": "demo",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "FOYER_MAILBOX_URL": f"http://localhost:{ports['MAIL_PORT']}",
        "FOYER_DEMO_LOGINS": str(logins_file(services)),
        "PYTHONUNBUFFERED": "1",
    }


def logins_file(services: embedded.Services) -> Path:
    return services.folder / "logins.json"


def children(services: embedded.Services, ports: dict[str, int]) -> list[Child]:
    """The processes of the demo. The site stops first and the mailbox last, since workers may still send mail."""
    python = sys.executable
    manage = [python, str(ROOT / "manage.py")]
    granian = [python, "-m", "granian", "--host", "127.0.0.1", "--workers-kill-timeout", "2", "--no-ws"]
    worker = [*manage, "rqworker", "--worker-class", "config.worker.FoyerWorker"]
    web = [*granian, "--interface", "wsgi", "--workers", "2", "--blocking-threads", "2048", "--respawn-failed-workers"]
    # Requests wait in threads of the server, for one of the few that work (config.lanes). An open connection counts
    # against the limit, and a browser keeps one, a waiting page its stream besides.
    web += ["--backlog", "8192", "--backpressure", "4096"]
    live = [python, "-m", "config.live", "--host", "127.0.0.1", "--port", str(ports["LIVE_PORT"])]
    mailbox = [python, "-m", "embedded.mailbox", "--folder", str(services.folder / "mail")]
    mailbox += ["--smtp-port", str(ports["SMTP_PORT"]), "--http-port", str(ports["MAIL_PORT"])]
    stripe: list[Child] = []
    if "STRIPE_PORT" in ports:
        notices = f"http://localhost:{ports['PORT']}/webhooks/stripe/"
        command = [python, "-m", "tests.fake_stripe", "--port", str(ports["STRIPE_PORT"])]
        command += ["--endpoint", notices, "--secret", STRIPE_STAND_IN["STRIPE_WEBHOOK_SECRETS"]]
        stripe = [Child("stripe", command, stage=2)]
    identity = [python, "-m", "tests.identity", "--port", str(ports["IDENTITY_PORT"])]
    return [
        *stripe,
        Child("identity", identity, stage=2),
        Child("mailbox", mailbox, stage=2),
        Child("site", [*web, "--port", str(ports["PORT"]), "config.wsgi:application"], death_signal=signal.SIGTERM),
        Child("live", live),
        Child("worker-purchases", [*worker, "purchases"], stage=1),
        Child("worker-default", [*worker, "default", "documents"], stage=1, nice=10),
        Child("cron", [*manage, "cron"], stage=1),
    ]


def _run(services: embedded.Services, ports: dict[str, int], begun: float) -> None:
    variables = environment(services, ports)
    supervisor = Supervisor(logs=services.folder / "logs", environment=variables, folder=ROOT, tell=_tell)
    try:
        prepare(services, supervisor)
        everyone = children(services, ports)
        with step("Mailbox, live status, site"):
            for child in everyone:
                if not child.name.startswith(BEHIND_THE_SITE):
                    supervisor.start(child)
            _wait_for_site(supervisor, ports["PORT"])
        with step("Two workers, cron"):  # later, so that the site has the machine to itself while it loads
            for child in everyone:
                if child.name.startswith(BEHIND_THE_SITE):
                    supervisor.start(child)
        print(overview(services, variables), flush=True)
        with beside.open_to_commands(services.folder, variables):
            print(
                f"  Ready after {time.monotonic() - begun:.1f} s. Logs: {supervisor.logs}. Ctrl-C stops everything.",
                flush=True,
            )
            while True:
                time.sleep(0.3)
                supervisor.look()
                _keep(services)
    finally:
        with _undisturbed():
            if supervisor.children:
                print(flush=True)
                with step("Stopping"):
                    supervisor.stop(seconds=STOP_SECONDS)
                    services.stop()


def prepare(services: embedded.Services, supervisor: Supervisor) -> None:
    """Bring the database up to date and fill in the demo, unless its note says that this very state was prepared."""
    state = _state(supervisor.environment)
    if services.postgres and services.postgres.note() == state and logins_file(services).exists():
        return
    manage = [sys.executable, str(ROOT / "manage.py")]
    with step("Database up to date"):
        supervisor.run("migrate", [*manage, "migrate", "--no-input"], what="Bringing the database up to date")
    with step("Demo data"):
        supervisor.run("setup_demo", [*manage, "setup_demo"], what="Filling in the demo data")
    if services.postgres:
        services.postgres.set_note(state)


def overview(services: embedded.Services, variables: dict[str, str]) -> str:
    """The table of addresses, logins and the way to a command, for the person at the terminal."""
    site = variables["SITE_URL"]
    try:
        logins = json.loads(logins_file(services).read_text())
    except (OSError, ValueError):
        logins = []
    buyer: dict[str, str] = next((one for one in logins if one.get("role") == "buyer"), {})
    volunteer: dict[str, str] = next((one for one in logins if one.get("role") == "door"), {})
    rows = [
        ("Site", f"{site}/"),
        ("Admin", f"{site}/admin/"),
        ("New event", f"{site}/admin/new-event/"),
        ("Door", volunteer.get("url", "")),
        ("Gate pass", volunteer.get("gate_pass", "")),
        ("Presale", buyer.get("presale_link", "")),
        ("Lost mail", f"{site}/sv/orders/find/"),
        ("Treasurers", "a code besides: make manage ARGS='totp treasurer@example.org'"),
        ("Mailbox", f"{variables['FOYER_MAILBOX_URL']}/"),
        ("Commands", "make manage ARGS=doctor"),
    ]
    lines = ["", *(f"  {name:<12}{address}" for name, address in rows if address)]
    if logins:
        wide = max(len(one["email"]) for one in logins) + 3
        lines += ["", f"  {'Sign in as':<12}{'E-mail':<{wide}}Password"]
        lines += [f"  {one['role']:<12}{one['email']:<{wide}}{one['password']}" for one in logins]
    return "\n".join([*lines, ""])


def _services() -> contextlib.AbstractContextManager[embedded.Services]:
    with step("PostgreSQL and Redis"):
        return embedded.start("demo")


def _wait_for_site(supervisor: Supervisor, port: int) -> None:
    """Wait until the site answers; whoever dies meanwhile will not get better by waiting. Raises EmbeddedError."""
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(f"http://127.0.0.1:{port}/livez"):
        for child in supervisor.children:
            if child.process is None or processes.has_ended(child.process):
                raise supervisor.gave_up(child)
        if time.monotonic() > deadline:
            logs = supervisor.logs
            raise EmbeddedError(f"The site did not answer within {READY_SECONDS} s; its log is {logs / 'site.log'}.")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=5) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _keep(services: embedded.Services) -> None:
    """Bring PostgreSQL and Redis back when they died under us. Raises EmbeddedError when they cannot."""
    for name, server in (("PostgreSQL", services.postgres), ("Redis", services.redis)):
        if server and server.has_died():
            _tell(f"{name} ended and starts again; log: {server.log}")
            server.start()


def _state(variables: dict[str, str]) -> str:
    """Stands for all that the prepared database depends on; the day too, since the demo's events lie ahead of today."""
    digest = hashlib.sha256(datetime.now(UTC).date().isoformat().encode())
    for name in ("SITE_URL", "LIVE_URL", "FOYER_MAILBOX_URL", "ALLOWED_HOSTS"):
        digest.update(f"\0{variables.get(name, '')}".encode())
    for plugin in sorted(
        point.dist.name + point.dist.version for point in entry_points(group="foyer.plugins") if point.dist
    ):
        digest.update(f"\0{plugin}".encode())
    for path in _files():
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return f"prepared {digest.hexdigest()}"


def _files() -> Iterator[Path]:
    for name in PREPARED_FROM:
        top = ROOT / name
        found = sorted(top.rglob("*")) if top.is_dir() else [top]
        yield from (path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _tell(sentence: str) -> None:
    print(f"  {sentence}", file=sys.stderr, flush=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stop


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave half of it running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    yield


if __name__ == "__main__":
    sys.exit(main())
