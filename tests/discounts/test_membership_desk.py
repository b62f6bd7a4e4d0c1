"""The desk of memberships, and the panel on My pages with its "ask again"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.accounts import personal_data
from apps.accounts.models import User
from apps.discounts import asking
from apps.discounts.extensions import Verdict, membership_sources
from apps.discounts.models import MemberBody, MemberListDraft, Membership
from apps.events import tenancy
from apps.events.models import Organisation
from apps.ticketing import clock, outbox
from tests import factories, mould
from tests.discounts.doubles import Oracle, body, person
from tests.tenancy.world import member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lyktan(db: None) -> Organisation:
    return mould.cast(tenancy.create_organisation, "Lyktan")


@pytest.fixture
def editor(lyktan: Organisation, client: Client) -> User:
    user = member(lyktan, tenancy.Role.EDITOR, locale="en", name="Edda Ek")
    client.force_login(user)
    client.cookies["language"] = "en"
    return user


@pytest.fixture(autouse=True)
def nobody_asked_lately() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def add(client: Client, **values: str) -> tuple[int, str]:
    answer = client.post(
        reverse("member_body_desk:add"), {"name_sv": "Medlemmar", "name_en": "Members", **values}, follow=True
    )
    return answer.status_code, answer.content.decode()


def test_body_is_made_with_a_key_that_its_source_reads(client: Client, editor: User, lyktan: Organisation) -> None:
    add(client, source="email_domain", source_key="@Student.LiU.se")

    made = MemberBody.objects.get()
    assert (made.organisation, made.source_key) == (lyktan, "student.liu.se")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"source": "email_domain", "source_key": "liu"}, "Write a domain such as student.liu.se."),
        ({"source": "liu", "source_key": ""}, "Write what is asked for."),
        (
            {"source": "liu", "source_key": "liu", "name_sv": "", "name_en": ""},
            "Write a name in one language at least.",
        ),
        ({"source": "kobra", "source_key": "LinTek"}, "kobra"),  # not offered where it is not set up
    ],
)
def test_body_that_could_not_be_asked_for_is_refused(
    values: dict[str, str], sentence: str, client: Client, editor: User
) -> None:
    _status, text = add(client, **values)

    assert sentence in text
    assert not MemberBody.objects.exists()


def known(union: MemberBody) -> list[tuple[str, bool]]:
    rows = Membership.objects.filter(body=union)
    return [(row.verdict, row.good_until > clock.now()) for row in rows]


@pytest.mark.parametrize(
    ("change", "at_once", "then"),
    [
        ({"source_key": "Consensus"}, [("yes", False)], [("no", True)]),
        ({"source": "email_domain", "source_key": "kth.se"}, [("yes", False)], [("no", True)]),
        ({"name_en": "Union"}, [("yes", True)], [("yes", True)]),
    ],
    ids=["another key", "another source", "another name"],
)
def test_verdicts_of_a_body_that_is_corrected_end_and_are_asked_anew(
    change: dict[str, str], at_once: list[Any], then: list[Any], client: Client, editor: User, lyktan: Organisation
) -> None:
    union = body(lyktan, key="LinTek")
    alva = person("alva@student.liu.se")
    address = reverse("member_body_desk:edit", args=[union.public_id])
    with membership_sources.temporarily(Oracle(Verdict.YES)):
        asking.ask(alva.pk, near=False)
    with membership_sources.temporarily(Oracle(Verdict.NO)):
        typed = {"name_sv": "Medlemmar", "name_en": "Members", "source": "oracle", "source_key": "LinTek", **change}
        client.post(address, typed)

        assert known(union) == at_once
        outbox.run_all()

    assert known(union) == then


def test_second_editor_is_told_what_the_first_changed(client: Client, editor: User, lyktan: Organisation) -> None:
    union = body(lyktan, source="email_domain", key="student.liu.se")
    address = reverse("member_body_desk:edit", args=[union.public_id])
    opened = client.get(address).context["form"]["opened"].value()
    MemberBody.objects.update(source_key="kth.se")

    typed = {"name_sv": "Medlemmar", "source": "email_domain", "source_key": "student.liu.se", "opened": opened}
    refused = client.post(address, typed).content.decode()

    assert "what is asked for: from “student.liu.se” to “kth.se”. Nothing was saved" in refused
    union.refresh_from_db()
    assert union.source_key == "kth.se"


def test_list_is_shown_before_it_counts(client: Client, editor: User) -> None:
    add(client, source="member_list")
    union = MemberBody.objects.get()
    assert union.source_key == union.public_id.hex
    address = reverse("member_body_desk:list", args=[union.public_id])
    assert client.get(address).status_code == 200

    file = SimpleUploadedFile("list.csv", b"Mail\nalva@example.org\nnobody\nbo@example.org\n")
    shown = client.post(address, {"file": file})
    text = shown.content.decode()
    assert "2 members were read" in text and "There is neither an e-mail address" in text
    assert "alva@example.org" not in text
    draft = MemberListDraft.objects.get()

    client.post(reverse("member_body_desk:list_confirm", args=[union.public_id, draft.public_id]))
    union.refresh_from_db()
    assert (union.member_list.size, union.member_list.uploaded_by) == (2, editor)
    again = client.post(reverse("member_body_desk:list_confirm", args=[union.public_id, draft.public_id]), follow=True)
    assert "That list is gone" in again.content.decode()
    assert "2 members, uploaded" in client.get(reverse("member_body_desk:index")).content.decode()


def test_every_bad_row_is_in_the_file_to_download(client: Client, editor: User) -> None:
    add(client, source="member_list")
    union = MemberBody.objects.get()
    rows = ["alva@example.org", *(f"nobody {number}" for number in range(60)), "kim@@example.org"]
    file = SimpleUploadedFile("list.csv", "\n".join(rows).encode())
    client.post(reverse("member_body_desk:list", args=[union.public_id]), {"file": file})
    address = reverse("member_body_desk:list_bad_rows", args=[union.public_id, MemberListDraft.objects.get().public_id])

    lines = client.get(address).content.decode("utf-8-sig").splitlines()

    assert len(lines) == 62
    assert lines[:2] == ["Line,Why", "2,There is neither an e-mail address nor a LiU ID in it."]
    assert lines[-1] == "62,An e-mail address in it cannot be one."
    MemberListDraft.objects.all().delete()
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"Name\nAlva\n"])
def test_file_that_is_no_list_gets_a_sentence(content: bytes, client: Client, editor: User) -> None:
    add(client, source="member_list")
    address = reverse("member_body_desk:list", args=[MemberBody.objects.get().public_id])

    answer = client.post(address, {"file": SimpleUploadedFile("list.csv", content)})

    assert answer.status_code == 422
    assert not MemberListDraft.objects.exists()


def test_draft_of_another_body_is_not_confirmed(client: Client, editor: User, lyktan: Organisation) -> None:
    ours, theirs = body(lyktan, "member_list"), body(source="member_list")
    draft = MemberListDraft.objects.create(body=theirs, size=1, marks=["0" * 64], made_at="2026-01-01T00:00Z")

    client.post(reverse("member_body_desk:list_confirm", args=[ours.public_id, draft.public_id]))
    foreign = client.post(reverse("member_body_desk:list_confirm", args=[theirs.public_id, draft.public_id]))

    assert foreign.status_code == 404
    assert MemberListDraft.objects.count() == 1


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (Verdict.YES, "About Edda Ek it says: member."),
        (Verdict.NO, "About Edda Ek it says: not a member."),
        (Verdict.UNKNOWN, "It cannot know you"),
        (None, "It does not answer now."),
    ],
)
def test_source_is_tried_with_ones_own_account(
    verdict: Verdict | None, sentence: str, client: Client, editor: User, lyktan: Organisation
) -> None:
    with membership_sources.temporarily(Oracle(verdict)):
        union = body(lyktan)
        answer = client.post(reverse("member_body_desk:try", args=[union.public_id]), follow=True)

    assert sentence in answer.content.decode()


# --- My pages --------------------------------------------------------------------------------------------------------


def my_pages(client: Client) -> str:
    return client.get("/my/").content.decode()


def test_my_pages_tell_verdict_source_and_time_and_ask_again(client: Client) -> None:
    alva = person("alva@student.liu.se", locale="en")
    oracle = Oracle(Verdict.YES)
    with membership_sources.temporarily(oracle):
        body(source="email_domain", key="student.liu.se")
        union = body()
        client.force_login(alva)
        client.cookies["language"] = "en"
        outbox.run_all()
        text = my_pages(client)
        assert "E-mail domain" in text and "The oracle" in text and "Member" in text
        oracle.verdict = Verdict.NO
        for _time in range(3):
            client.post(reverse("discounts:ask_again"))
        outbox.run_all()
        assert Membership.objects.get(body=union).verdict == Verdict.NO
        asked = len(oracle.asked)

        refused = client.post(reverse("discounts:ask_again"), follow=True)
        outbox.run_all()

    assert "Try again in five minutes" in refused.content.decode()
    assert len(oracle.asked) == asked


def test_panel_is_left_out_where_nobody_was_asked(client: Client) -> None:
    client.force_login(factories.user())

    assert "panel-memberships" not in my_pages(client)


def test_guest_cannot_have_anything_asked(client: Client) -> None:
    assert client.get(reverse("discounts:ask_again")).status_code == 405
    assert client.post(reverse("discounts:ask_again")).status_code == 302


@pytest.mark.parametrize("bodies", [1, 3])
def test_panel_asks_the_same_number_of_questions_for_any_number(
    client: Client, bodies: int, django_assert_num_queries: object
) -> None:
    alva = person("alva@student.liu.se")
    for _number in range(bodies):
        body(source="email_domain", key="student.liu.se")
    client.force_login(alva)
    client.get("/my/")

    with django_assert_num_queries(15):  # type: ignore[operator]
        client.get("/my/")


def test_memberships_are_taken_along_and_erased() -> None:
    alva = person("alva@student.liu.se")
    body(source="email_domain", key="student.liu.se")
    asking.ask(alva.pk, near=True)

    told = personal_data.export(alva)["discounts"]["memberships"]
    assert [(row["of"], row["verdict"]) for row in told] == [("Medlemmar", "yes")]
    personal_data.erase(alva)
    assert not Membership.objects.exists()
