"""A list of members that an organisation uploads: read from CSV of any make, shown before it counts, kept as hashes.

A row is a member when it has an e-mail address or a LiU ID in any of its columns; all else in it is passed over and
never stored, personal identity numbers above all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.discounts import asking, csv_files
from apps.discounts.models import ListedMember, MemberBody, MemberList, MemberListDraft
from apps.discounts.sources.near import email_name, liu_name, mark_of
from apps.ticketing import clock

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 50_000
LONGEST_CELL = 320
LIU_ID = re.compile(r"[a-z]{2,5}[0-9]{2,3}", re.I)
PERSONAL_NUMBER = re.compile(r"(?:[0-9]{2})?[0-9]{6}[-+]?[0-9T][0-9]{3}")
WRITTEN_AT_ONCE = 5_000

NO_NAME, NO_ADDRESS = "no_name", "no_address"
WHY = {
    NO_NAME: _("There is neither an e-mail address nor a LiU ID in it."),
    NO_ADDRESS: _("An e-mail address in it cannot be one."),
}


class Unreadable(Exception):
    """The file is no list of members. The message says why; nothing was kept."""


@dataclass(frozen=True)
class BadRow:
    """A row that counts for nobody: its number as a spreadsheet shows it, and which of WHY it is. Nothing of what
    stands in it."""

    number: int
    reason: str

    @property
    def why(self) -> str | Promise:
        return WHY[self.reason]


@dataclass(frozen=True)
class Read:
    """What a file says. `members` holds for each member the names under which they may be known."""

    members: tuple[frozenset[str], ...]
    bad: tuple[BadRow, ...]
    repeated: int = 0
    has_personal_numbers: bool = False


def read(content: bytes) -> Read:
    """The members in a CSV file: comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252; with a head or without.

    Raises Unreadable for a file that is too large, no text, or without a single member.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(_("The file is larger than 5 MB. Nothing was kept."))
    try:
        text = csv_files.decode(content)
    except csv_files.NoText:
        raise Unreadable(_("The file is no CSV file. Save the list as CSV and send it again.")) from None
    members: dict[frozenset[str], None] = {}
    seen: set[str] = set()
    bad: list[BadRow] = []
    repeated, has_numbers, is_first = 0, False, True
    try:
        for line, cells in csv_files.rows_of(text, csv_files.delimiter_of(text)):
            if not any(cell.strip() for cell in cells):
                continue
            if line > MOST_ROWS:
                raise Unreadable(_("There are more than 50,000 rows. Nothing was kept."))
            names, why, has_number = _names(cells)
            has_numbers |= has_number
            if names and not names <= seen:
                members[names] = None
                seen |= names
            elif names:
                repeated += 1
            elif not is_first or why != NO_NAME:  # the first row may be the head
                bad.append(BadRow(line, why))
            is_first = False
    except csv_files.NoText:
        raise Unreadable(_("The file is no CSV file. Save the list as CSV and send it again.")) from None
    if not members:
        raise Unreadable(_("No row has an e-mail address or a LiU ID. Nothing was kept."))
    return Read(tuple(members), tuple(bad), repeated, has_numbers)


def _names(cells: list[str]) -> tuple[frozenset[str], str, bool]:
    """(names under which a row's member may be known, why there are none, whether a personal number stands there)."""
    names: set[str] = set()
    why = NO_NAME
    has_number = False
    for cell in (cell.strip().strip("<>").removeprefix("mailto:") for cell in cells):
        if "@" in cell:
            try:
                validate_email(cell[:LONGEST_CELL])
            except ValidationError:
                why = NO_ADDRESS
            else:
                names.add(email_name(cell))
        elif LIU_ID.fullmatch(cell):
            names.add(liu_name(cell))
        elif PERSONAL_NUMBER.fullmatch(cell.replace(" ", "")):
            has_number = True
    return frozenset(names), why, has_number


# --- Kept ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """What a new list would change, in entries: an address and a LiU ID of one member are two."""

    new: int
    gone: int
    stay: int


def draft(body: MemberBody, read: Read, *, by: Any) -> MemberListDraft:
    """Keep what was read, as hashes, until somebody confirms it. It takes the place of earlier drafts."""
    marks = sorted({mark_of(body.public_id, name) for names in read.members for name in names})
    with transaction.atomic():
        MemberListDraft.objects.filter(body=body).delete()
        return MemberListDraft.objects.create(
            body=body,
            size=len(read.members),
            marks=marks,
            bad=[[row.number, row.reason] for row in read.bad],
            made_by=by,
            made_at=clock.now(),
        )


def bad_rows(draft: MemberListDraft) -> list[BadRow]:
    """Rows of the file that count for nobody."""
    return [BadRow(number, reason) for number, reason in draft.bad]


def difference(draft: MemberListDraft) -> Difference:
    now = set(ListedMember.objects.filter(body=draft.body).values_list("mark", flat=True))
    then = set(draft.marks)
    return Difference(new=len(then - now), gone=len(now - then), stay=len(now & then))


def confirm(draft: MemberListDraft, *, by: Any) -> MemberList | None:
    """Let a draft be the list: all of it, in place of the one before. None when it is gone: somebody was faster.

    Locks the body. Next: everybody's verdict is found anew by a worker.
    """
    with transaction.atomic():
        body = MemberBody.objects.select_for_update(of=("self",)).get(pk=draft.body_id)
        found = MemberListDraft.objects.filter(pk=draft.pk).first()
        if found is None:
            return None
        now = set(ListedMember.objects.filter(body=body).values_list("mark", flat=True))
        then = set(found.marks)
        ListedMember.objects.filter(body=body).exclude(mark__in=then).delete()
        fresh = [ListedMember(body=body, mark=mark) for mark in sorted(then - now)]
        ListedMember.objects.bulk_create(fresh, batch_size=WRITTEN_AT_ONCE)
        kept, _is_new = MemberList.objects.update_or_create(
            body=body, defaults={"size": found.size, "uploaded_at": clock.now(), "uploaded_by": by}
        )
        found.delete()
        asking.changed_for_all(body)
    return kept
