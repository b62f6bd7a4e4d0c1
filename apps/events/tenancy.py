"""The walls between associations: who belongs where, which rows they reach, and how an organisation comes into being.

Every model declares `ORGANISATION_PATH`, its one way to its Organisation (`None`: not an organiser's). `scope` limits a
queryset by it. Views, choosers, forms and reports of the administration build on this (see `desk`), Wagtail's own
addresses are fenced by `wall`, and a test walks the whole URL map.

Editors keep the catalogue, events and pages; Treasurers see orders, payments and refunds; Door staff only check in and
have no way into the administration. Superusers see all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.utils.text import slugify
from wagtail.models import (
    Collection,
    GroupCollectionPermission,
    GroupPagePermission,
    Locale,
    Page,
    Site,
    WorkflowPage,
)
from wagtail.permission_policies import ModelPermissionPolicy

from apps.events.translated import LANGUAGES

if TYPE_CHECKING:  # models use tenancy in their forms
    from apps.events.models import Organisation, OrganisationPage

Row = TypeVar("Row", bound=models.Model)
_CACHE = "_organisations_by_role"


class Role(StrEnum):
    """What somebody does for an organisation; the name of the group's field on Organisation."""

    EDITOR = "editors"
    TREASURER = "treasurers"
    DOOR = "door"


ALL_ROLES = tuple(Role)
ORGANISATION_OF_GROUP = {Role.EDITOR: "edits", Role.TREASURER: "keeps_books", Role.DOOR: "guards"}


# --- Who belongs where ---------------------------------------------------------------------------------------------


def organisation_ids(user: Any, *roles: Role) -> frozenset[int]:
    """Ids of the organisations in which `user` has one of `roles` (any role when none is named).

    Read once per user object, that is once per request. A superuser belongs to none: they are asked about apart.
    """
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return frozenset()
    by_role = getattr(user, _CACHE, None)
    if by_role is None:
        by_role = {role: set() for role in ALL_ROLES}
        for row in Group.objects.filter(user=user).values_list(*(ORGANISATION_OF_GROUP[role] for role in ALL_ROLES)):
            for role, organisation_id in zip(ALL_ROLES, row, strict=True):
                if organisation_id is not None:
                    by_role[role].add(organisation_id)
        setattr(user, _CACHE, by_role)
    return frozenset().union(*(by_role[role] for role in roles or ALL_ROLES))


def has_role(user: Any, organisation: Organisation, *roles: Role) -> bool:
    """Whether `user` may act for `organisation` in one of `roles` (any role when none is named)."""
    if getattr(user, "is_superuser", False) and user.is_active:
        return True
    return organisation.pk in organisation_ids(user, *roles)


def scope(queryset: QuerySet[Row], user: Any, *roles: Role) -> QuerySet[Row]:
    """The rows of `queryset` that belong to an organisation in which `user` has one of `roles`.

    All rows for a superuser; none of a model that is not an organiser's.
    """
    if getattr(user, "is_superuser", False) and user.is_active:
        return queryset
    path = getattr(queryset.model, "ORGANISATION_PATH", None)
    if path is None:
        return queryset.none()
    return queryset.filter(**{f"{path}__in": organisation_ids(user, *roles)})


def organisation_id_of(row: models.Model) -> int | None:
    """The id of the organisation a row belongs to, by its declared path; None when it belongs to none."""
    path = getattr(row, "ORGANISATION_PATH", None)
    if path is None:
        return None
    if path == "pk":
        return row.pk
    *steps, last = path.split("__")
    value: Any = row
    for step in steps:
        value = getattr(value, step)
        if value is None:
            return None
    return getattr(value, f"{last}_id")  # the key that is there already, not the organisation


def organisation_of_page(page: Page | None) -> Organisation | None:
    """The organisation in whose tree a page lies."""
    from apps.events.models import OrganisationPage

    if page is None or not page.path:
        return None
    root = OrganisationPage.objects.ancestor_of(page, inclusive=True).select_related("organisation").first()
    return root.organisation if root else None


def foreign_references(references: Iterable[Any], organisation: Organisation | None) -> list[tuple[type, Any]]:
    """(model, id) of what a page refers to and may not: rows of another organisation, files of another's collection,
    unpublished pages of another's tree. `references` are as Wagtail's `extract_references` yields them.
    """
    wanted: dict[type[models.Model], set[Any]] = {}
    for model, object_id, *_path in references:
        wanted.setdefault(model, set()).add(object_id)
    return [(model, object_id) for model, ids in wanted.items() for object_id in _foreign(model, ids, organisation)]


def _foreign(model: type[models.Model], ids: set[Any], organisation: Organisation | None) -> set[Any]:
    rows = model._default_manager.filter(pk__in=ids)
    if issubclass(model, Page):
        own = rows.filter(_below_pages(_roots(Q(organisation=organisation))) | Q(live=True))
    elif any(field.name == "collection" for field in model._meta.get_fields()):
        reach = Q(collection__depth=1)  # files of the house
        if organisation is not None and organisation.collection is not None:
            reach |= Q(collection__path__startswith=organisation.collection.path)
        own = rows.filter(reach)
    elif getattr(model, "ORGANISATION_PATH", None) is not None:
        own = rows.filter(**{model.ORGANISATION_PATH: organisation})  # type: ignore[attr-defined]
    else:
        return set()
    found = {str(pk) for pk in own.values_list("pk", flat=True)}
    return {object_id for object_id in ids if str(object_id) not in found}


# --- The page tree -------------------------------------------------------------------------------------------------


def _roots(which: Q) -> QuerySet[OrganisationPage]:
    from apps.events.models import OrganisationPage

    return OrganisationPage.objects.filter(which)


def _below_pages(roots: Iterable[Page]) -> Q:
    reach = Q(pk__in=[])
    for root in roots:
        reach |= Q(path__startswith=root.path)
    return reach


def pages_of(user: Any, queryset: QuerySet[Page] | None = None) -> QuerySet[Page]:
    """The pages in the trees of the user's organisations; all for a superuser."""
    pages = Page.objects.all() if queryset is None else queryset
    if getattr(user, "is_superuser", False):
        return pages
    return pages.filter(_below_pages(_roots(Q(organisation__in=organisation_ids(user, Role.EDITOR)))))


def way_to_pages_of(user: Any, queryset: QuerySet[Page] | None = None) -> QuerySet[Page]:
    """As `pages_of`, and the pages above them, through which one walks down to one's own."""
    pages = Page.objects.all() if queryset is None else queryset
    if getattr(user, "is_superuser", False):
        return pages
    roots = list(_roots(Q(organisation__in=organisation_ids(user, Role.EDITOR))))
    above = {root.path[: length * Page.steplen] for root in roots for length in range(1, root.depth)}
    return pages.filter(_below_pages(roots) | Q(path__in=above))


# --- How an organisation comes into being --------------------------------------------------------------------------


def ensure_site() -> Page:
    """The site with its languages and one start page in each; made when missing. Returns the Swedish start page.

    Call it outside a transaction: Wagtail tells the cache when languages or the site's root change.
    """
    there = {locale.language_code: locale for locale in Locale.objects.all()}
    # Not get_or_create, which opens a transaction of its own around the signal that tells the cache.
    locales = [there.get(code) or Locale.objects.create(language_code=code) for code in LANGUAGES]
    home = _ensure_homes(locales)
    ensure_legal_texts(None)
    address = urlsplit(settings.SITE_URL)
    host, port = address.hostname or "localhost", address.port or (443 if address.scheme == "https" else 80)
    site = Site.objects.filter(is_default_site=True).first() or Site(hostname=host, is_default_site=True)
    if (site.root_page_id, site.hostname, site.port) != (home.pk, host, port):
        welcome = site.root_page if site.pk else None
        site.root_page = Page.objects.get(pk=home.pk)
        site.hostname, site.port = host, port  # whole addresses, as in a canonical link, begin as SITE_URL does
        site.site_name = site.site_name or "Foyer"
        site.save()
        if welcome is not None and welcome.specific_class is Page and not welcome.get_children().exists():
            _clear_what_a_fresh_wagtail_brings(welcome)
    return home


def _clear_what_a_fresh_wagtail_brings(welcome: Page) -> None:
    """Its greeting page, and its groups and workflow over the whole tree, which would reach across organisations."""
    welcome.delete()
    WorkflowPage.objects.filter(page__depth=1).delete()
    Group.objects.filter(name__in=["Editors", "Moderators"], user__isnull=True, edits__isnull=True).delete()


@transaction.atomic
def _ensure_homes(locales: Sequence[Locale]) -> Page:
    from apps.events.models import HomePage

    root = Page.get_first_root_node() or Page.add_root(instance=Page(title="Root", slug="root", locale=locales[0]))
    if Collection.get_first_root_node() is None:
        Collection.add_root(name="Root")
    home = HomePage.objects.filter(locale=locales[0]).first()
    if home is None:
        home = HomePage(title="Foyer", slug="foyer", locale=locales[0])
        root.add_child(instance=home)
    for locale in locales[1:]:
        if not home.get_translations().filter(locale=locale).exists():
            page = HomePage(title="Foyer", slug=f"foyer-{locale.language_code}", locale=locale)
            page.translation_key = home.translation_key
            Page.objects.get(pk=root.pk).add_child(instance=page)
    return home


def create_organisation(name: str, *, slug: str = "", **facts: Any) -> Organisation:
    """Make an organisation with all that belongs to it: its page in each language, its collection and its three groups.

    `facts` are other fields of Organisation. Raises IntegrityError, having made nothing, when name or slug is taken.
    """
    from apps.events.models import Organisation

    home = ensure_site()
    organisation = Organisation(name=name, slug=slug or slugify(name), **facts)
    equip(organisation, home)
    return organisation


@transaction.atomic
def equip(organisation: Organisation, home: Page) -> None:
    """Save a new organisation and give it its pages below `home` and its translations, its collection, groups and
    workflow."""
    from apps.events import approval

    organisation.collection = Collection.get_first_root_node().add_child(name=organisation.name)
    for role in ALL_ROLES:
        setattr(organisation, role.value, Group.objects.create(name=f"{organisation.slug}: {role.value}"))
    organisation.save()
    pages = _make_pages(organisation, home)
    organisation.root_page = Page.objects.get(pk=pages[0].pk)
    organisation.save(update_fields=["root_page"])
    ensure_legal_texts(organisation)
    _grant(organisation, pages)
    approval.want(organisation, True)


def ensure_legal_texts(organisation: Organisation | None) -> None:
    """A row for each text that an organisation, or the house, may write itself; empty to begin with."""
    from apps.events.models import LegalKind, LegalText

    there = set(LegalText.objects.filter(organisation=organisation).values_list("kind", flat=True))
    missing = [LegalText(organisation=organisation, kind=kind) for kind in LegalKind if kind not in there]
    if missing:
        LegalText.objects.bulk_create(missing, ignore_conflicts=True)


def _make_pages(organisation: Organisation, home: Page) -> list[OrganisationPage]:
    from apps.events.models import OrganisationPage

    pages: list[OrganisationPage] = []
    for above in [home, *home.get_translations()]:
        page = OrganisationPage(
            title=organisation.name, slug=organisation.slug, locale=above.locale, organisation=organisation
        )
        if pages:
            page.translation_key = pages[0].translation_key
        Page.objects.get(pk=above.pk).add_child(instance=page)
        pages.append(page)
    return pages


def _grant(organisation: Organisation, pages: Iterable[Page]) -> None:
    """Wagtail's rights: Editors on their subtree and collection; Editors and Treasurers may enter; Door may not."""
    assert organisation.editors and organisation.treasurers  # made just before
    enter = Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin")
    translate = Permission.objects.get(content_type__app_label="simple_translation", codename="submit_translation")
    organisation.editors.permissions.add(enter, translate)
    organisation.treasurers.permissions.add(enter)
    page_rights = Permission.objects.filter(
        content_type__app_label="wagtailcore",
        codename__in=["add_page", "change_page", "publish_page", "lock_page", "unlock_page"],
    )
    GroupPagePermission.objects.bulk_create(
        GroupPagePermission(group=organisation.editors, page_id=page.pk, permission=right)
        for page in pages
        for right in page_rights
    )
    file_rights = Permission.objects.filter(
        Q(content_type__app_label="wagtailimages", codename__in=["add_image", "change_image", "choose_image"])
        | Q(content_type__app_label="wagtaildocs", codename__in=["add_document", "change_document", "choose_document"])
        | Q(
            content_type__app_label="wagtailcore",
            codename__in=["add_collection", "change_collection", "delete_collection"],
        )
    )
    GroupCollectionPermission.objects.bulk_create(
        GroupCollectionPermission(group=organisation.editors, collection=organisation.collection, permission=right)
        for right in file_rights
    )


# --- Rights by role ------------------------------------------------------------------------------------------------


class OrganisationPermissionPolicy(ModelPermissionPolicy):
    """Rights on a model by role: `change` may add, change and delete what their organisation owns, `view` may look.

    Django's permission rows play no part, so that a right cannot be given by accident across organisations.
    """

    def __init__(
        self,
        model: type[models.Model],
        *,
        change: Iterable[Role] = (Role.EDITOR,),
        view: Iterable[Role] = (),
        actions: Iterable[str] = ("add", "change", "delete"),
    ) -> None:
        super().__init__(model)
        self.change_roles = tuple(change)
        self.view_roles = (*self.change_roles, *view)
        self.actions = frozenset(actions)

    def _roles(self, actions: Iterable[str]) -> tuple[Role, ...]:
        roles: list[Role] = []
        for action in actions:
            if action == "view":
                roles += self.view_roles
            elif action in self.actions:
                roles += self.change_roles
        return tuple(roles)

    def user_has_permission(self, user: Any, action: str) -> bool:
        return self.user_has_any_permission(user, [action])

    def user_has_any_permission(self, user: Any, actions: Iterable[str]) -> bool:
        actions = list(actions)
        if not user.is_active:
            return False
        if user.is_superuser:
            return "view" in actions or bool(self.actions.intersection(actions))
        roles = self._roles(actions)
        return bool(roles) and bool(organisation_ids(user, *roles))

    def user_has_permission_for_instance(self, user: Any, action: str, instance: models.Model) -> bool:
        if not self.user_has_permission(user, action):
            return False
        return user.is_superuser or organisation_id_of(instance) in organisation_ids(user, *self._roles([action]))

    def instances_user_has_any_permission_for(self, user: Any, actions: Iterable[str]) -> QuerySet[Any]:
        actions = list(actions)
        rows = self.model._default_manager.all()
        if not self.user_has_any_permission(user, actions):
            return rows.none()
        return scope(rows, user, *self._roles(actions))

    def users_with_any_permission(self, actions: Iterable[str]) -> QuerySet[Any]:
        may = Q(is_superuser=True)
        for role in self._roles(actions):
            may |= Q(**{f"groups__{ORGANISATION_OF_GROUP[role]}__isnull": False})
        return get_user_model().objects.filter(may, is_active=True).distinct()

    def users_with_any_permission_for_instance(self, actions: Iterable[str], instance: models.Model) -> QuerySet[Any]:
        may = Q(is_superuser=True)
        for role in self._roles(actions):
            may |= Q(**{f"groups__{ORGANISATION_OF_GROUP[role]}": organisation_id_of(instance)})
        return get_user_model().objects.filter(may, is_active=True).distinct()
