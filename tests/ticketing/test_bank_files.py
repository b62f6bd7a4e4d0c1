"""Files as Swedish banks export them, and those that are none: what is read, and how the rest is refused."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from apps.ticketing import account_numbers, bank_files
from apps.ticketing.bank_files import Unreadable, read

SEB = (
    "Bokförd datum;Valutadatum;Verifikationsnummer;Text;Belopp;Saldo\r\n"
    "2026-11-30;2026-11-30;5490;{text};{sum};9,00\r\n"
)


def told(content: bytes) -> list[tuple[date | None, int, str, str]]:
    return [(row.on, row.amount_minor, row.currency, row.problem) for row in read(content).rows]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SEB.format(text="Åsa Öberg", sum="1 250,50").encode("utf-8-sig"), id="semicolons, BOM"),
        pytest.param(SEB.format(text="Åsa Öberg", sum="1250,50").encode("latin-1"), id="Latin-1"),
        pytest.param(SEB.format(text="Åsa Öberg", sum="1.250,50").encode("utf-16"), id="UTF-16, points for thousands"),
        pytest.param(SEB.format(text='"Åsa; Öberg"', sum="1\u00a0250,5 kr").encode(), id="quoted, no-break space, kr"),
        pytest.param(
            "* Transaktioner Period 2026-11-01 - 2026-11-30 Skapad 2026-12-01\n"
            "Radnummer,Clearingnummer,Kontonummer,Produkt,Valuta,Bokföringsdag,Transaktionsdag,Beskrivning,Belopp\n"
            '1,8327,9212345,"Företagskonto",SEK,2026-11-30,2026-11-29,"Åsa Öberg",1250.50\n'.encode(),
            id="words above, commas, decimal point",
        ),
        pytest.param("Datum\tText\tBelopp (SEK)\n20261130\tÅsa\t+1 250,50\n".encode(), id="tabs, unit in the heading"),
        pytest.param(b"Date;Amount;Text\n30/11/2026;1,250.50;Asa\n", id="English"),
    ],
)
def test_banks_write_the_same_in_many_ways(content: bytes) -> None:
    (row,) = read(content).rows

    assert (row.on, row.amount_minor, row.problem) == (date(2026, 11, 30), 125_050, "")
    assert "sa" in row.text


@pytest.mark.parametrize(
    "text", ["1.250", "1,250", "1.250.50", "12,345", "tusen", "", "1e3", "1 250,505", "--5", "99999999,00"]
)
def test_amount_that_could_be_two_is_none(text: str) -> None:
    with override("en"):
        ((_on, amount, _currency, problem),) = told(SEB.format(text="x", sum=text).encode())

    assert (amount, problem) == (0, f"“{text}” is no amount that can be read in one way only.")


def test_what_went_out_is_passed_over_and_what_cannot_be_read_is_told_by_its_line() -> None:
    lines = "Datum;Belopp;Text\n2026-11-30;-50,00;Hyra\n\n2026-11-31;50;Kim\n2026-11-30;50;Kim\n2026-11-30;50;Kim\n"

    found = read(lines.encode())

    assert found.outgoing == 1
    assert [(row.number, bool(row.problem)) for row in found.rows] == [(4, True), (5, False), (6, False)]
    alike = [row.fingerprint for row in found.rows[1:]]
    assert len(set(alike)) == 2  # two of the same are two
    assert [row.fingerprint for row in read(lines.encode()).rows[1:]] == alike  # and the same when read again


def test_a_lone_quotation_mark_swallows_no_rows() -> None:
    rows = read('Datum;Belopp;Text\n2026-11-30;50;"Kim\n2026-11-30;60;Åsa "Å" Öberg\n2026-11-30;70;Bo"\n'.encode()).rows

    assert [row.amount_minor for row in rows] == [5_000, 6_000, 7_000]


def test_columns_of_their_own_for_in_and_out() -> None:
    found = read(b"Datum;Text;Uttag;Ins\xe4ttning\n2026-11-30;Hyra;75,00;\n2026-11-30;Kim;;50,00\n")

    assert ([row.amount_minor for row in found.rows], found.outgoing) == ([5_000], 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04rest of a workbook", "This is an Excel file."),
        (b"%PDF-1.7", "This is a PDF."),
        (b"", "No column for date and amount was found."),
        (b"\x00\x01\x02\x00", "This is no text file."),
        (b"Namn;Summa\nKim;50\n", "No column for date and amount was found."),
        (b"Datum;Belopp;Text\n", "The file has headings and no rows."),
        (b"Datum;Belopp;Text\n" + b"2026-11-30;1;Kim\n" * 5_001, "The file has more than 5,000 rows."),
        (b"x" * 1_000_001, "The file is larger than 1 MB."),
    ],
    ids=["excel", "pdf", "empty", "binary", "no columns", "no rows", "too many rows", "too large"],
)
def test_file_that_is_none_is_refused_in_a_sentence(content: bytes, sentence: str) -> None:
    with override("en"), pytest.raises(Unreadable) as refusal:
        read(content)

    assert str(refusal.value).startswith(sentence)
    assert "Nothing was done." in str(refusal.value)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"Datum;Belopp;Text\n{text}".encode()))
def test_nothing_that_is_sent_breaks_the_reader(content: bytes) -> None:
    try:
        found = read(content)
    except Unreadable as refusal:
        assert str(refusal)
    else:
        assert all(row.problem or (row.amount_minor > 0 and row.on) for row in found.rows)


def test_references_are_found_in_groups_and_among_other_numbers() -> None:
    text = "OCR 123 456 782 · BG 5050-1055 · tel 0701234567 · 246813579"

    assert set(bank_files.references(text, digits=9)) == {"123456782", "246813579"}


@pytest.mark.parametrize(
    ("clean", "typed", "kept"),
    [
        (account_numbers.clean_bankgiro, "991-2346", "9912346"),
        (account_numbers.clean_bankgiro, "991-2345", None),
        (account_numbers.clean_iban, "se45 5000 0000 0583 9825 7466", "SE4550000000058398257466"),
        (account_numbers.clean_iban, "SE45 5000 0000 0583 9825 7467", None),
        (account_numbers.clean_bic, "swedsess", "SWEDSESS"),
        (account_numbers.clean_bic, "SWED", None),
        (account_numbers.clean_swish, "123 456 78 90", "1234567890"),
        (account_numbers.clean_swish, "+46 70 123 45 67", "0701234567"),
        (account_numbers.clean_swish, "08 123 456", None),
    ],
)
def test_account_numbers_are_kept_bare_and_mistyped_ones_refused(clean, typed, kept) -> None:
    if kept is None:
        with pytest.raises(Exception, match="Look again|Titta"):
            clean(typed)
    else:
        assert clean(typed) == kept
