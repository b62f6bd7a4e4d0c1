"""Secrets of a demo or a test run: made at the first start, kept in `var/<purpose>/secrets.json` with mode 0600."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from embedded.errors import EmbeddedError


def _token() -> str:
    return secrets.token_hex(32)


def _keyring() -> str:
    """One key "k1" in the format of FOYER_KEYS: key id, colon, 32 bytes in URL-safe base64; the first key encrypts."""
    return "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": _token,
    "FOYER_KEYS": _keyring,
    "SANDBOX_SECRET": _token,
    "POSTGRES_PASSWORD": _token,
    "REDIS_PASSWORD": _token,
}


def secrets_of(folder: Path) -> dict[str, str]:
    """Read the secrets of this folder; make those that are missing. Raises EmbeddedError when they cannot be kept."""
    path = folder / "secrets.json"
    try:
        known = json.loads(path.read_text()) if path.exists() else {}
        missing = {name: make() for name, make in MAKERS.items() if not known.get(name)}
        if missing:
            known |= missing
            write_private(path, json.dumps(known, indent=1))
    except OSError as error:
        raise EmbeddedError(f"The secrets in {path} cannot be kept: {error.strerror}.") from error
    except ValueError as error:
        raise EmbeddedError(f"{path} is damaged; remove {folder} to start afresh.") from error
    return known


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, so that an interrupted start leaves the old one or the new one."""
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
