"""Uploaded member lists: files of any make, a preview before anything counts, and nothing but hashes kept."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.discounts import asking, member_lists, memberships
from apps.discounts.extensions import Verdict
from apps.discounts.member_lists import NO_ADDRESS, NO_NAME, Unreadable, read
from apps.discounts.models import ListedMember, MemberBody, MemberListDraft
from apps.discounts.sources.near import UploadedList
from apps.ticketing import clock, outbox
from tests.discounts.doubles import body, person


def names(content: bytes) -> list[set[str]]:
    return [set(member) for member in read(content).members]


@pytest.mark.parametrize(
    "content",
    [
        b"Namn,E-post,LiU-ID\r\nAlva Ek,alva@example.org,alvek123\r\nBo,bo@example.org,\r\n",
        b"Namn;E-post;LiU-ID\nAlva Ek;Alva@Example.org;ALVEK123\nBo;bo@example.org;\n",
        "\ufeffNamn;E-post;LiU-ID\nÅlva;alva@example.org;alvek123\nBo;bo@example.org;\n".encode(),
        "Namn;E-post;LiU-ID\nÅlva Öman;alva@example.org;alvek123\nBo;bo@example.org;\n".encode("cp1252"),
        "Namn\tE-post\tLiU-ID\nÅlva\talva@example.org\talvek123\nBo\tbo@example.org\t\n".encode("utf-16"),
        b'"Ek, Alva","alva@example.org","alvek123"\n"Bo","bo@example.org"\n',
        b"alvek123; alva+list@example.org ;19900101-1234\n\n;;\nbo@example.org\n",
        b"Alva <x>,mailto:alva@example.org,alvek123\rBo,<bo@example.org>\r",
    ],
    ids=["excel", "semicolons", "BOM", "cp1252", "utf-16 tabs", "quoted, no head", "any order", "old Mac"],
)
def test_list_is_read_whatever_wrote_it(content: bytes) -> None:
    found = read(content)

    assert [set(member) for member in found.members] == [
        {"email:alva@example.org", "liu:alvek123"},
        {"email:bo@example.org"},
    ]
    assert found.bad == ()


def test_bad_and_repeated_rows_are_told_with_their_numbers() -> None:
    found = read(
        b"Name;Mail\nAlva;alva@example.org\nBo;bo@@example\nCleo;\nAgain;ALVA@example.org\nDee;dee@example.org\n"
    )

    assert len(found.members) == 2
    assert [(row.number, row.reason) for row in found.bad] == [(3, NO_ADDRESS), (4, NO_NAME)]
    assert found.repeated == 1


def test_personal_identity_numbers_are_passed_over_and_told_of() -> None:
    found = read(b"alva@example.org;900101-1234\nbo@example.org;199001011234\n")

    assert found.has_personal_numbers
    assert [set(member) for member in found.members] == [{"email:alva@example.org"}, {"email:bo@example.org"}]


@pytest.mark.parametrize(
    "content",
    [b"", b"Name;Mail\n", b"\x00\x01\x02", b"PK\x03\x04word", b"%PDF-1.7 alva@example.org", b"x" * 5_300_000],
    ids=["empty", "head alone", "binary", "a workbook", "a PDF", "large"],
)
def test_file_that_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content)


def upload(union: MemberBody, content: bytes) -> None:
    kept = member_lists.confirm(member_lists.draft(union, read(content), by=None), by=None)
    assert kept is not None
    outbox.run_all()


@pytest.fixture
def union(db: None) -> MemberBody:
    made = body(source=UploadedList.slug, key="")
    made.source_key = made.public_id.hex
    made.save()
    return made


@pytest.mark.django_db(transaction=True)
def test_list_makes_members_and_a_newer_one_ends_it(union: MemberBody) -> None:
    alva, bo = person("alva@example.org"), person("bo@example.org")
    cleo = person(liu={"liu_id": "cleos123"})
    nobody = person()

    def verdicts() -> list[Verdict]:
        known = memberships.verdicts_of([alva.pk, bo.pk, cleo.pk, nobody.pk], clock.now())
        return [known[one.pk].get(union.pk, Verdict.UNKNOWN) for one in (alva, bo, cleo, nobody)]

    for one in (alva, bo, cleo, nobody):
        asking.ask(one.pk, near=True)
    assert verdicts() == [Verdict.UNKNOWN] * 4  # before there is a list, nothing is known

    upload(union, b"alva+home@example.org\ncleos123\n")
    for one in (alva, bo, cleo, nobody):
        asking.ask(one.pk, near=True, again=True)
    assert verdicts() == [Verdict.YES, Verdict.NO, Verdict.YES, Verdict.UNKNOWN]

    upload(union, b"bo@example.org\n")
    assert verdicts() == [Verdict.NO, Verdict.YES, Verdict.NO, Verdict.UNKNOWN]


@pytest.mark.django_db(transaction=True)
def test_one_address_on_a_list_makes_one_account_a_member(union: MemberBody) -> None:
    first, second = person("robin+1@example.org"), person("robin@example.org", "robin+2@example.org")
    third = person("robina@example.org")
    upload(union, b"robin@example.org\nrobina@example.org\n")
    for one in (first, second, third):
        asking.ask(one.pk, near=True, again=True)

    known = memberships.verdicts_of([first.pk, second.pk, third.pk], clock.now())
    assert [known[one.pk][union.pk] for one in (first, second, third)] == [Verdict.YES, Verdict.NO, Verdict.YES]


@pytest.mark.django_db(transaction=True)
def test_draft_counts_for_nobody_and_tells_what_it_would_change(union: MemberBody) -> None:
    upload(union, b"alva@example.org\nbo@example.org\n")

    draft = member_lists.draft(union, read(b"bo@example.org\ncleo@example.org\ndee@example.org\n"), by=None)

    assert member_lists.difference(draft) == member_lists.Difference(new=2, gone=1, stay=1)
    assert ListedMember.objects.count() == 2
    assert member_lists.confirm(draft, by=None) is not None
    assert member_lists.confirm(draft, by=None) is None  # pressed twice
    assert (ListedMember.objects.count(), MemberListDraft.objects.count()) == (3, 0)


@pytest.mark.django_db(transaction=True)
def test_lists_keep_hashes_alone_and_cannot_be_compared(union: MemberBody) -> None:
    other = body(source=UploadedList.slug)
    upload(union, b"alva.hemligsson@example.org;alvek123;900101-1234\n")
    member_lists.draft(other, read(b"alva.hemligsson@example.org;alvek123;900101-1234\n"), by=None)

    own = set(ListedMember.objects.values_list("mark", flat=True))
    assert len(own) == 2 and not own & set(MemberListDraft.objects.get().marks)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"""SELECT count(*) FROM "{table}" t WHERE t::text ~ 'hemligsson|alvek123|900101'""")
            assert cursor.fetchone()[0] == 0, table
