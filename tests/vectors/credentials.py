"""Makes `credentials.json`: ticket codes, good and bad, and what a verifier must say of each. See README.md.

The format is put together here once more, apart from apps.ticketing.credentials: a mistake there does not hide itself.
Ed25519 signs the same bytes alike every time, so that the file is the same wherever it is made.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
FILE = Path(__file__).with_name("credentials.json")
# The order of the group that Ed25519 signs in: a signature (R, s) has a twin (R, s + ORDER) that careless code accepts.
ORDER = 2**252 + 27742317777372353535851937790883648493
RETIRED, OLDER, NEWER, NEVER = 6, 7, 8, 9
KEYS = {
    number: Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(f"Foyer test key {number}: known to everybody, for tests only".encode()).digest()
    )
    for number in (RETIRED, OLDER, NEWER)
}
DINNER = uuid.UUID("0192d8a4-5c3e-7b1a-9f00-6b1d2c3e4f50")
PARTY = uuid.UUID("0192d8a4-9d21-7c44-8a3b-0d7e5f6a1b2c")


def write45(data: bytes) -> str:
    """Base45 of an even number of bytes."""
    numbers = struct.unpack(f">{len(data) // 2}H", data)
    return "".join(_group(number) for number in numbers)


def _group(number: int) -> str:
    return ALPHABET[number % 45] + ALPHABET[number // 45 % 45] + ALPHABET[number // 2025]


def body(ticket: uuid.UUID, version: int, key_id: int, *, format: int = 1) -> bytes:
    """What is signed: format (1 byte), key (1), ticket (16), version of the credential (2)."""
    return struct.pack(">BB16sH", format, key_id, ticket.bytes, version)


def signed(ticket: uuid.UUID, version: int, key_id: int, *, by: int | None = None, format: int = 1) -> bytes:
    """Body and signature; `by` another key than the one it names."""
    told = body(ticket, version, key_id, format=format)
    return told + KEYS[by or key_id].sign(told)


def made() -> dict[str, Any]:
    """All that the file holds."""
    good = signed(DINNER, 1, OLDER)
    code, second = write45(good), write45(signed(PARTY, 2, OLDER))
    s = int.from_bytes(good[52:], "little")
    cases: list[dict[str, Any]] = [
        claim("signed by the older live key", DINNER, 1, OLDER),
        claim("signed by the newer live key", DINNER, 1, NEWER),
        claim("another ticket, a later version", PARTY, 2, OLDER),
        claim("the last version there is", PARTY, 65_535, NEWER),
        claim("no ticket of any house: a verifier does not know", uuid.UUID(int=0), 0, NEWER),
    ]
    cases += [
        {"name": name, "code": text, "verdict": "unknown key"}
        for name, text in (
            ("signed by a key that was retired", write45(signed(DINNER, 1, RETIRED))),
            ("names a key that never was", write45(signed(DINNER, 1, NEVER, by=OLDER))),
            ("names key 0", write45(signed(DINNER, 1, 0, by=OLDER))),
            ("names a key that never was, with no signature at all", write45(body(DINNER, 1, NEVER) + bytes(64))),
        )
    ]
    cases += [
        {"name": name, "code": text, "verdict": "forged"}
        for name, text in (
            ("names the newer key, signed by the older", write45(signed(DINNER, 1, NEWER, by=OLDER))),
            ("names a live key, signed by the retired one", write45(signed(DINNER, 1, OLDER, by=RETIRED))),
            ("signature of nothing but zeros", write45(good[:20] + bytes(64))),
            ("one bit of the signature's first half turned", write45(_turned(good, 20))),
            ("one bit of the signature's second half turned", write45(_turned(good, 83))),
            ("the signature's twin", write45(good[:52] + (s + ORDER).to_bytes(32, "little"))),
            ("one bit of the ticket turned", write45(_turned(good, 9))),
            ("a later version written in", write45(body(DINNER, 2, OLDER) + good[20:])),
            ("body of one ticket, signature of another", write45(good[:20] + signed(PARTY, 2, OLDER)[20:])),
            ("the first half of one code, the second of another", code[:63] + second[63:]),
            ("first half and second half exchanged", code[63:] + code[:63]),
            ("format 0", write45(signed(DINNER, 1, OLDER, format=0))),
            ("format 2, well signed", write45(signed(DINNER, 1, OLDER, format=2))),
            ("format 255 under a key that never was", write45(signed(DINNER, 1, NEVER, by=OLDER, format=255))),
            ("two bytes too few", write45(good[:-2])),
            ("two bytes too many", write45(good + bytes(2))),
            ("one byte too few", code[:-1]),
            ("one character too many", code + "0"),
            ("the code twice", code + code),
            ("a body without a signature", write45(good[:20])),
            ("a signature without a body", write45(good[20:])),
            ("the same bytes written another way", _group(int.from_bytes(good[:2], "big") + 65_536) + code[3:]),
            ("the largest group there is", code[:-3] + ":::"),
            ("small letters", code.lower()),
            ("a character that is not of base45", code[:40] + "_" + code[41:]),
            ("a letter outside ASCII", code[:40] + "Å" + code[41:]),
            ("a wide digit", "\uff10" + code[1:]),
            ("a character of two halves", code[:40] + "\U0001f3ab" + code[41:]),
            ("a space before", " " + code),
            ("a space after", code + " "),
            ("a line end after", code + "\n"),
            ("a tab in the middle", code[:60] + "\t" + code[60:]),
            ("a NUL in the middle", code[:60] + "\0" + code[61:]),
            ("a byte order mark before", "\ufeff" + code),
            ("nothing", ""),
            ("one space", " "),
            ("spaces only, of the right length", " " * 126),
            ("zeros only, of the right length", "0" * 126),
            ("a short code", "K7M2QA"),
            ("an address", "HTTPS://EXAMPLE.ORG/TICKETS/" + str(DINNER).upper()),
            ("as long as the largest QR code", (code * 35)[:4296]),
        )
    ]
    public = {str(number): key.public_key().public_bytes_raw().hex() for number, key in KEYS.items()}
    return {
        "what": "What verifiers of ticket codes must answer; see README.md. Keys for tests, known to everybody.",
        "keys": {
            "live": {str(number): public[str(number)] for number in (OLDER, NEWER)},
            "retired": {str(RETIRED): public[str(RETIRED)]},
        },
        "cases": cases,
    }


def claim(name: str, ticket: uuid.UUID, version: int, key_id: int) -> dict[str, Any]:
    """A case that is genuine, with what it says."""
    code = write45(signed(ticket, version, key_id))
    return {
        "name": name, "code": code, "verdict": "claim", "ticket": str(ticket), "version": version, "key_id": key_id,
    }  # fmt: skip


def _turned(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def text() -> str:
    """The file, as it should be."""
    return json.dumps(made(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")
