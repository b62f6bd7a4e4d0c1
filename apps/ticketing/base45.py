"""Base45 (RFC 9285): bytes as the 45 characters that a QR code packs tightest besides digits.

Decoding is strict: one text, one meaning. A changed character gives other bytes or an error, never the same bytes.
"""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {character: value for value, character in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """Two bytes become three characters, a last single byte two."""
    text = []
    for start in range(0, len(data), 2):
        pair = data[start : start + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            number, value = divmod(number, 45)
            text.append(ALPHABET[value])
    return "".join(text)


def decode(text: str) -> bytes:
    """The bytes behind `encode`. Raises ValueError for anything that `encode` does not write."""
    data = bytearray()
    try:
        values = [_VALUES[character] for character in text]
    except KeyError:
        raise ValueError("not base45") from None
    whole = len(values) - len(values) % 3
    for first, second, third in zip(values[0:whole:3], values[1:whole:3], values[2:whole:3], strict=True):
        number = first + 45 * second + 2025 * third
        if number > 0xFFFF:
            raise ValueError("not base45")
        data += number.to_bytes(2, "big")
    if rest := values[whole:]:
        number = rest[0] + 45 * rest[-1]
        if len(rest) == 1 or number > 0xFF:
            raise ValueError("not base45")
        data.append(number)
    return bytes(data)
