# ruff: noqa: UP031
"""The first thing `make` runs: picks a Python that can carry Foyer and hands over to `embedded.install`.

It has to be understood by every Python 3 a machine may still have, so that an old one is answered with a sentence.
"""

import os
import subprocess
import sys

WITH_WHEELS = ("python3.12", "python3.11")  # for these two everything is had without a compiler
NEWER = ("python3.13", "python3.14")
LOOK = (
    "import sys\n"
    "try:\n"
    "    import ensurepip, venv\n"
    "except ImportError:\n"
    "    sys.exit(3)\n"
    "print('%d.%d' % sys.version_info[:2])"
)


def look_at(python):
    """Return (version, can make a virtual environment) of an interpreter; version is None when it does not run."""
    try:
        process = subprocess.Popen([python, "-c", LOOK], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = process.communicate()[0].decode().strip()
    except OSError:
        return None, False
    if process.returncode == 0:
        return tuple(int(part) for part in said.split(".")), True
    return None, process.returncode == 3


def choose():
    """Return the interpreter to use. Exits with one plain sentence when there is none."""
    here = sys.version_info[:2]
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401

        complete = True
    except ImportError:
        complete = False
    if complete and (3, 11) <= here <= (3, 12):
        return sys.executable
    for name in WITH_WHEELS:
        if look_at(name)[0]:
            return name
    if complete and here >= (3, 13):
        return sys.executable
    for name in NEWER:
        if look_at(name)[0]:
            return name
    if here >= (3, 11):
        sys.exit(
            "Python %d.%d is here but cannot make virtual environments: install the package python%d.%d-venv "
            "(or python3-venv) and start again." % (here + here)
        )
    sys.exit(
        "Foyer needs Python 3.11 or 3.12 and found only Python %d.%d: install python3.11 with its venv package "
        "and start again." % here
    )


def main():
    python = choose()
    if python != sys.executable:
        os.execvp(python, [python, os.path.abspath(__file__)] + sys.argv[1:])
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from embedded import install

    sys.exit(install.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
