"""Terms of purchase, privacy notice and accessibility statement: what stands now, and every version that ever stood.

An organisation's own words come before the house's, and the house's before the start text. Whichever it is, who the
organisation is stands filled into it. What comes out is written down as a version the first time somebody is shown it,
so that what an order's buyer accepted can be read later, word for word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import escape

from apps.accounts.kept import Kept
from apps.accounts.prepared import Statement
from apps.events import page_cache
from apps.events.legal_start import PLACEHOLDERS, SELLER_OF_THE_HOUSE, START
from apps.events.models import LegalKind, LegalText, LegalVersion, Organisation
from apps.events.translated import LANGUAGES, active_language, pick

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
PARAGRAPH = re.compile(r"<(p|li)\b[^>]*>(?:(?!</\1>).)*</\1>", re.S)
KINDS_AT_THE_FOOT = (LegalKind.TERMS, LegalKind.PRIVACY, LegalKind.ACCESSIBILITY)
TRIES = 5


@dataclass(frozen=True)
class Wording:
    """A text in both languages. An empty one falls back to the other."""

    sv: str
    en: str

    @property
    def text(self) -> str:
        return pick(self.sv, self.en)

    @property
    def language(self) -> str:
        """In which language `text` is."""
        wanted = active_language()
        other = "en" if wanted == "sv" else "sv"
        return wanted if getattr(self, wanted) or not getattr(self, other) else other


def written(organisation: Organisation | None, kind: str) -> Wording:
    """What was written for an organisation, with its placeholders: its own, else the house's, else the start text."""
    ours = Q(organisation=organisation) | Q(organisation=None)
    rows = {row.organisation_id: row for row in LegalText.objects.filter(ours, kind=kind)}
    for owner in (organisation.pk, None) if organisation is not None else (None,):
        row = rows.get(owner)
        if row is not None and (row.text_sv or row.text_en):
            return Wording(row.text_sv, row.text_en)
    return Wording(*START[kind])


def inherited(organisation: Organisation | None, kind: str) -> Wording:
    """What holds for an organisation that has written nothing itself."""
    return Wording(*START[kind]) if organisation is None else written(None, kind)


def filled(wording: Wording, organisation: Organisation | None) -> Wording:
    """`wording` with the facts of the organisation in its placeholders. A paragraph about a fact that is not known (no
    VAT number, no postal address) is left out."""
    return Wording(*(_fill(getattr(wording, language), _facts(organisation, language)) for language in LANGUAGES))


def _facts(organisation: Organisation | None, language: str) -> dict[str, str]:
    facts = dict.fromkeys(PLACEHOLDERS, "") | {"site": settings.WAGTAIL_SITE_NAME}
    if organisation is None:
        return facts | {"seller": SELLER_OF_THE_HOUSE[LANGUAGES.index(language)]}
    return facts | {
        "seller": organisation.seller_name,
        "organisation_number": organisation.organisation_number,
        "address": ", ".join(organisation.address.split("\n")).replace("\r", ""),
        "email": organisation.email,
        "vat_number": organisation.vat_number,
    }


def _fill(text: str, facts: dict[str, str]) -> str:
    def told(match: re.Match[str]) -> str:
        names = PLACEHOLDER.findall(match[0])
        return "" if any(not facts.get(name, "as it is") for name in names) else match[0]

    return PLACEHOLDER.sub(lambda match: escape(facts.get(match[1], match[0])), PARAGRAPH.sub(told, text))


def unknown_placeholders(text: str) -> list[str]:
    """What stands in braces and is no fact that could be filled in."""
    return sorted(set(PLACEHOLDER.findall(text)) - set(PLACEHOLDERS))


# --- Versions ------------------------------------------------------------------------------------------------------


# PostgreSQL's own version of the rows from which what holds now follows: what was written, and the newest version.
_EDITION = Statement(
    "legal_edition",
    ("bigint", "text"),
    "SELECT 'text', xmin::text, ctid::text FROM events_legaltext"
    " WHERE kind = $2 AND (organisation_id IS NULL OR organisation_id = $1)"
    " UNION ALL (SELECT 'version', xmin::text, ctid::text FROM events_legalversion"
    " WHERE kind = $2 AND organisation_id IS NOT DISTINCT FROM $1 ORDER BY number DESC LIMIT 1)",
)
_found: dict[tuple[object, ...], LegalVersion] = {}
MOST_FOUND = 200


def standing(organisation: Organisation | None, kind: str) -> LegalVersion:
    """The version that holds now. Written down if nobody has been shown it yet, and then a number higher.

    One question, as long as nothing it follows from has changed since this process found it.
    """
    rows = _EDITION.run(organisation.pk if organisation else None, str(kind))
    key = (organisation and organisation.pk, str(kind), *sorted(rows), *_facts(organisation, LANGUAGES[0]).values())
    found = _found.get(key)
    if found is None:
        found, is_new = _find_standing(organisation, kind)
        if not is_new:  # a new one is not among the rows that were asked about
            if len(_found) >= MOST_FOUND:
                _found.clear()
            _found[key] = found
    return found


def _find_standing(organisation: Organisation | None, kind: str) -> tuple[LegalVersion, bool]:
    """The version that holds now, and whether it was written down just now."""
    now = filled(written(organisation, kind), organisation)
    for tries in range(TRIES):
        newest = versions(organisation, kind).first()
        if newest is not None and (newest.text_sv, newest.text_en) == (now.sv, now.en):
            return newest, tries > 0
        version = LegalVersion(organisation=organisation, kind=kind, number=newest.number + 1 if newest else 1)
        version.text_sv, version.text_en = now.sv, now.en
        with transaction.atomic():
            LegalVersion.objects.bulk_create([version], ignore_conflicts=True)  # another process may be as quick
    raise RuntimeError("The legal text changes faster than it can be read.")


def versions(organisation: Organisation | None, kind: str) -> QuerySet[LegalVersion]:
    """All versions that ever stood, the newest first."""
    return LegalVersion.objects.filter(organisation=organisation, kind=kind)


def address(organisation_slug: str, kind: str, number: int | None = None) -> str:
    """Where a text is read, in the reader's language: as it stands now, or as it stood in version `number`. An empty
    slug is the house's."""
    whose = [organisation_slug] if organisation_slug else []
    version = [number] if number else []
    name = f"legal{'_own' if whose else ''}{'_version' if version else ''}"
    return reverse(f"legal:{name}", args=[*whose, kind, *version])


# --- The foot of every page ----------------------------------------------------------------------------------------


def _standing_by_id(key: tuple[int | None, str]) -> LegalVersion:
    organisation_id, kind = key
    return standing(Organisation.objects.get(pk=organisation_id) if organisation_id else None, kind)


# What holds now, at most half a second old, for pages that only name it.
shown: Kept[tuple[int | None, str], LegalVersion] = Kept(_standing_by_id, seconds=page_cache.LOOK_SECONDS)
