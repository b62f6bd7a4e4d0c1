"""Who belongs where, and what comes into being with an organisation."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Locale, Page, Site
from wagtail.permissions import policy_registry

from apps.events import tenancy
from apps.events.models import Event, HomePage, Organisation, OrganisationPage
from apps.events.tenancy import ALL_ROLES, OrganisationPermissionPolicy, Role
from apps.ticketing.models import Choice, Order, Quota, Ticket, TicketType
from tests import factories
from tests.tenancy.world import World, member, sell

pytestmark = pytest.mark.django_db


def test_organisation_comes_with_pages_collection_and_groups() -> None:
    organisation = tenancy.create_organisation("Festföreningen Lyktan", accent_colour="#0B3D91")

    pages = OrganisationPage.objects.filter(organisation=organisation).select_related("locale")
    assert {(page.locale.language_code, page.slug, page.live) for page in pages} == {
        ("sv", "festforeningen-lyktan", True),
        ("en", "festforeningen-lyktan", True),
    }
    assert len({page.translation_key for page in pages}) == 1
    assert organisation.root_page_id in {page.pk for page in pages}
    assert organisation.collection.get_parent() == Collection.get_first_root_node()
    assert {getattr(organisation, role.value).name for role in ALL_ROLES} == {
        "festforeningen-lyktan: editors",
        "festforeningen-lyktan: treasurers",
        "festforeningen-lyktan: door",
    }


def test_groups_get_the_rights_of_their_role(ours: World) -> None:
    organisation = ours.organisation

    def rights(role: Role) -> tuple[set[str], set[str], set[str]]:
        group = getattr(organisation, role.value)
        of_group = set(group.permissions.values_list("codename", flat=True))
        pages = GroupPagePermission.objects.filter(group=group)
        assert {right.page.specific.organisation for right in pages} <= {organisation}
        files = GroupCollectionPermission.objects.filter(group=group)
        assert {right.collection for right in files} <= {organisation.collection}
        return (
            of_group,
            {right.permission.codename for right in pages},
            {right.permission.codename for right in files},
        )

    assert rights(Role.EDITOR) == (
        {"access_admin", "submit_translation"},
        {"add_page", "change_page", "publish_page", "lock_page", "unlock_page"},
        {
            *("add_image", "change_image", "choose_image"),
            *("add_document", "change_document", "choose_document"),
            *("add_collection", "change_collection", "delete_collection"),
        },
    )
    assert rights(Role.TREASURER) == ({"access_admin"}, set(), set())
    assert rights(Role.DOOR) == (set(), set(), set())


def test_taken_name_makes_nothing(ours: World) -> None:
    before = (Page.objects.count(), Collection.objects.count())

    with pytest.raises(IntegrityError), transaction.atomic():
        tenancy.create_organisation(ours.organisation.name, slug="other")

    assert (Page.objects.count(), Collection.objects.count()) == before


def test_site_is_made_once_and_follows_site_url(settings: object) -> None:
    first = tenancy.ensure_site()
    settings.SITE_URL = "https://foyer.example:8443"  # type: ignore[attr-defined]

    again = tenancy.ensure_site()

    site = Site.objects.get()
    assert (first.pk, HomePage.objects.count()) == (again.pk, 2)
    assert (site.root_page_id, site.hostname, site.port) == (first.pk, "foyer.example", 8443)


def test_site_is_made_from_nothing_at_all() -> None:
    """As after a test that emptied every table."""
    Site.objects.all()._raw_delete("default")
    Page.objects.all().delete()
    Collection.objects.all().delete()
    Locale.objects.all()._raw_delete("default")

    tenancy.create_organisation("Lyktan")

    assert OrganisationPage.objects.count() == 2


def test_a_person_belongs_to_organisations_by_role(ours: World, theirs: World) -> None:
    both = member(ours.organisation, Role.EDITOR)
    both.groups.add(theirs.organisation.treasurers)

    lyktan, sexsidan = ours.organisation.pk, theirs.organisation.pk
    assert tenancy.organisation_ids(both) == {lyktan, sexsidan}
    assert tenancy.organisation_ids(both, Role.EDITOR) == {lyktan}
    assert tenancy.organisation_ids(both, Role.TREASURER) == {sexsidan}
    assert tenancy.organisation_ids(ours.door) == {lyktan}
    assert tenancy.organisation_ids(factories.user()) == set()
    assert tenancy.organisation_ids(AnonymousUser()) == set()
    assert tenancy.organisation_ids(factories.user(is_superuser=True)) == set()


def test_inactive_people_belong_nowhere(ours: World) -> None:
    ours.editor.is_active = False
    superuser = factories.user(is_superuser=True, is_active=False)

    assert tenancy.organisation_ids(ours.editor) == frozenset()
    assert not tenancy.scope(Event.objects.all(), superuser).exists()
    assert not tenancy.has_role(superuser, ours.organisation)


ORGANISERS = [
    model
    for label in ("events", "ticketing", "discounts", "resale", "checkin")
    for model in apps.get_app_config(label).get_models()
    if getattr(model, "ORGANISATION_PATH", None)
]


def test_scope_leaves_nothing_of_others(ours: World, theirs: World) -> None:
    sell(theirs)
    people = {Role.EDITOR: ours.editor, Role.TREASURER: ours.treasurer, Role.DOOR: ours.door}
    filled = []

    for model in ORGANISERS:
        rows = model._default_manager.all()
        filled += [model._meta.model_name] if rows.exists() else []
        for role, person in people.items():
            owners = {tenancy.organisation_id_of(row) for row in tenancy.scope(rows, person, role)}
            assert owners <= {ours.organisation.pk}, model
        assert not tenancy.scope(rows, factories.user()).exists(), model

    # There was something to leak.
    assert {"event", "eventpage", "order", "orderline", "payment", "ticket", "entry", "effect"} <= set(filled)


def test_scope_of_what_is_not_an_organisers_is_empty_but_for_superusers(ours: World) -> None:
    assert not tenancy.scope(HomePage.objects.all(), ours.editor).exists()
    assert tenancy.scope(HomePage.objects.all(), factories.user(is_superuser=True)).exists()


@pytest.mark.parametrize(
    ("model", "role", "allowed"),
    [
        (Event, Role.EDITOR, "add change delete view"),
        (Event, Role.TREASURER, "view"),
        (Event, Role.DOOR, ""),
        (TicketType, Role.EDITOR, "add change delete view"),
        (TicketType, Role.TREASURER, "view"),
        (Quota, Role.EDITOR, "add change delete view"),
        (Choice, Role.DOOR, ""),
        (Order, Role.EDITOR, ""),
        (Order, Role.TREASURER, "view"),
        (Ticket, Role.EDITOR, ""),
        (Ticket, Role.TREASURER, "view"),
        (Organisation, Role.EDITOR, "change view"),
        (Organisation, Role.TREASURER, "change view"),
        (Organisation, Role.DOOR, ""),
    ],
    ids=lambda value: getattr(getattr(value, "_meta", None), "model_name", None) or str(value),
)
def test_rights_by_role(model: type, role: Role, allowed: str, ours: World, theirs: World) -> None:
    policy = policy_registry.get_by_type(model)
    user = member(ours.organisation, role)
    own, foreign = ({Event: world.event, TicketType: world.kind, Quota: world.quota, Choice: world.choice,
                     Organisation: world.organisation}.get(model) for world in (ours, theirs))  # fmt: skip
    actions = ("add", "change", "delete", "view", "publish")

    assert isinstance(policy, OrganisationPermissionPolicy)
    assert {action for action in actions if policy.user_has_permission(user, action)} == set(allowed.split())
    if own is not None:
        assert {action for action in actions if policy.user_has_permission_for_instance(user, action, own)} == set(
            allowed.split()
        )
        assert not any(policy.user_has_permission_for_instance(user, action, foreign) for action in actions)
        assert set(policy.instances_user_has_any_permission_for(user, ["view"])) == (
            {own} if "view" in allowed else set()
        )
        assert (user in policy.users_with_any_permission_for_instance(["view"], own)) == ("view" in allowed)
        assert user not in policy.users_with_any_permission_for_instance(["view"], foreign)


def test_orders_are_changed_by_nobody_on_the_desk() -> None:
    policy = policy_registry.get_by_type(Order)
    superuser = factories.user(is_superuser=True)

    assert policy.user_has_permission(superuser, "view")
    assert not any(policy.user_has_permission(superuser, action) for action in ("add", "change", "delete"))


def test_numbers_of_the_whole_site_are_told_to_the_superuser_alone(ours: World, client: Client) -> None:
    shown = []
    for person in (ours.editor, ours.treasurer, factories.user(is_superuser=True, is_staff=True)):
        client.force_login(person)
        shown.append('class="w-summary' in client.get(reverse("wagtailadmin_home")).content.decode())

    assert shown == [False, False, True]


def test_superuser_founds_an_organisation_in_one_form(client: Client) -> None:
    client.force_login(factories.user(is_superuser=True, is_staff=True))
    data = {"name": "Skidgänget Plogen", "slug": "plogen", "theme": "exchange", "accent_colour": "", "legal_name": "",
            "organisation_number": "", "email": "", "vat_number": "", "address": ""}  # fmt: skip
    response = client.post(reverse("organisation_desk:add"), data)

    organisation = Organisation.objects.get(slug="plogen")
    assert response["Location"] == reverse("organisation_desk:edit", args=[organisation.public_id])
    assert (organisation.theme, organisation.pages.count()) == ("exchange", 2)
    assert organisation.editors is not None and organisation.collection is not None


def test_editor_keeps_the_facts_but_not_the_address_of_her_organisation(ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    data = {"name": "Lyktan", "slug": "other", "theme": "default", "accent_colour": "#0B3D91", "legal_name": "Lyktan",
            "organisation_number": "", "email": "", "vat_number": "", "address": ""}  # fmt: skip
    client.post(reverse("organisation_desk:edit", args=[ours.organisation.public_id]), data)

    ours.organisation.refresh_from_db()
    assert (ours.organisation.legal_name, ours.organisation.slug) == ("Lyktan", "lyktan-society")
    assert client.get(reverse("organisation_desk:add")).status_code == 302  # refused: sent to the desk's start


def test_desk_shows_what_a_colour_becomes_and_says_when_it_was_moved(ours: World, client: Client) -> None:
    client.force_login(ours.editor)
    address = reverse("organisation_desk:edit", args=[ours.organisation.public_id])
    shown = []
    for colour, theme in (("", "default"), ("#0B3D91", "default"), ("#FFC36B", "exchange")):
        Organisation.objects.filter(pk=ours.organisation.pk).update(accent_colour=colour, theme=theme)
        page = client.get(address, headers={"accept-language": "en"}).content.decode()
        shown.append((page.count("<figure"), page.count("so that it can be read")))

    assert shown == [(0, 0), (2, 1), (2, 1)]  # blue is too dark for the night, amber too pale for the day
    wrong = client.post(address, {"name": "Lyktan", "theme": "default", "accent_colour": "red"})
    assert (wrong.status_code, wrong.content.decode().count("<figure")) == (200, 0)


@pytest.mark.parametrize(("field", "value"), [("theme", "no-such-theme"), ("accent_colour", "red")])
def test_look_that_does_not_exist_is_refused(ours: World, client: Client, field: str, value: str) -> None:
    client.force_login(ours.editor)
    data = {"name": "Lyktan", "slug": "x", "theme": "default", "accent_colour": "", "legal_name": "",
            "organisation_number": "", "email": "", "vat_number": "", "address": "", field: value}  # fmt: skip
    response = client.post(reverse("organisation_desk:edit", args=[ours.organisation.public_id]), data)

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
