"""Readers that type, plugged into a computer whose keyboard has another layout than theirs."""

from __future__ import annotations

import random
import time
import unicodedata
from uuid import uuid4

import pytest

from apps.checkin import keyboards, scans
from apps.ticketing import base45, credentials
from apps.ticketing.models import Ticket
from tests.checkin.conftest import Evening

# What each key of an American reader writes on a Nordic computer, and the other way round.
ON_SWEDISH_WINDOWS = {"$": "¤", "*": "(", "+": "`", "-": "+", "/": "-", ":": "Ö"}
ON_DANISH_LINUX = {**ON_SWEDISH_WINDOWS, ":": "Æ"}
ON_NORWEGIAN_MAC = {**ON_SWEDISH_WINDOWS, "$": "€", ":": "Ø"}
ON_AMERICAN = {"*": "|", "+": "-", "-": "/", "/": "&", ":": ">"}
LAYOUTS = {
    "swedish windows": ON_SWEDISH_WINDOWS,
    "danish linux": ON_DANISH_LINUX,
    "norwegian mac": ON_NORWEGIAN_MAC,
    "american": ON_AMERICAN,
}


def typed(code: str, layout: dict[str, str]) -> str:
    """`code` as the computer writes it: each character by its key, then what a dead key does to the next."""
    written = "".join(layout.get(character, character) for character in code)
    if "`" not in layout.values():
        return written
    text, waiting = "", False
    for character in written:
        if waiting and character in "AEIOUaeiou":
            text += unicodedata.normalize("NFC", character + "\N{COMBINING GRAVE ACCENT}")
        elif waiting:
            text += "`" + ("" if character == " " else character)
        elif character != "`":
            text += character
        waiting = character == "`" and not waiting
    return text


def code_that_can_be_typed(evening: Evening, layout: dict[str, str]) -> tuple[Ticket, str]:
    """A ticket and its code. Two dead keys in a row write one sign, and AltGr is lost on an American computer: codes
    with those cannot be got back."""
    (ticket,) = evening.tickets()
    while True:
        code = credentials.sign(ticket)
        if "++" not in code and not ("$" in code and layout is ON_AMERICAN) and set(code) & set(layout):
            Ticket.objects.filter(pk=ticket.pk).update(public_id=ticket.public_id)
            return ticket, code
        ticket.public_id = uuid4()


@pytest.mark.parametrize("name", LAYOUTS)
def test_code_typed_by_a_reader_of_another_layout_is_read(evening: Evening, name: str) -> None:
    for _ in range(8):
        ticket, code = code_that_can_be_typed(evening, LAYOUTS[name])
        text = typed(code, LAYOUTS[name])

        verdict = scans.admit(text + "\r\n", event=evening.event, by=evening.robin)

        assert text != code
        assert (verdict.outcome, verdict.ticket) == ("admitted", ticket.public_id), code


@pytest.mark.parametrize(
    "around",
    ["{}\r\n", "{}\t", "]Q1{}", "]Q3{}\r", "\x02{}\x03", "{lower}", "  {}\n", "\x1d{}"],
    ids=["enter", "tab", "symbology", "symbology and enter", "control characters", "caps lock", "spaces", "separator"],
)
def test_what_a_reader_adds_is_left_out(evening: Evening, around: str) -> None:
    (ticket,) = evening.tickets()
    code = credentials.sign(ticket)

    text = around.format(code, lower=code.lower())

    assert scans.admit(text, event=evening.event, by=evening.robin).outcome == "admitted"


def test_code_with_swallowed_spaces_is_found(evening: Evening) -> None:
    """Made by hand: a dead key before a space writes one sign for the two."""
    code = ("AB+ CD+ EF+G-/:" + "0" * 126)[:126]
    text = typed(code, ON_SWEDISH_WINDOWS)
    assert len(text) == 124

    assert code in list(keyboards.candidates(text))


def test_layout_is_no_way_around_the_signature(evening: Evening) -> None:
    """Whatever is tried, only a code that we signed is believed."""
    (ticket,) = evening.tickets()
    code = credentials.sign(ticket)
    forged = base45.encode(bytes([1, 1]) + ticket.public_id.bytes + b"\0\1" + b"x" * 64)

    for text in (typed(forged, ON_SWEDISH_WINDOWS), code[:60] + "`" + code[61:], "`" * 126, "`" * 124):
        assert scans.admit(text, event=evening.event, by=evening.robin).outcome != "admitted"


def test_candidates_are_few_whatever_is_typed() -> None:
    letters = "`+-/ÖÀ¤( ABC019"
    for seed in range(50):
        chance = random.Random(seed)
        text = "".join(chance.choice(letters) for _ in range(chance.choice([50, 123, 124, 125, 126, 127, 400])))
        begun = time.process_time()
        found = list(keyboards.candidates(text))
        assert len(found) <= keyboards.MOST_ATTEMPTS
        assert {len(code) for code in found} <= {keyboards.CODE_LENGTH}
        assert time.process_time() - begun < 0.5
