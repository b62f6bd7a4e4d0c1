"""The fence around Wagtail's own administration, for everybody who is not a superuser.

Wagtail guards what it lets people *do*, but many of its addresses *show* more than one organisation's share: choosers
by id, reports, usage, people, tags. So an address of Wagtail's is closed (404) unless it stands here, and one that
names a page or a file is open for those in the user's own tree and collection only. Our own desks guard themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import ResolverMatch
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.models import Collection, Page
from wagtail.permissions import policy_registry

from apps.events import tenancy
from apps.events.tenancy import Role

GetResponse = Callable[[HttpRequest], HttpResponse]
ID = re.compile(r"[0-9]{1,18}")  # fits the column, and `int` takes it

# Open to anybody who is signed in.
FOR_ANYBODY = frozenset({"wagtailadmin_logout", "wagtailadmin_sprite", "wagtailadmin_javascript_catalog"})
# Open to whoever may enter the administration: they show nothing of anybody else.
FOR_ALL = FOR_ANYBODY | {"wagtailadmin_home", "wagtailadmin_account", "wagtailadmin_dismissibles"}
# Open to editors; every page or file that is named must be their own (`_named`).
FOR_EDITORS = frozenset(
    {
        "wagtailadmin_explore_root",
        "wagtailadmin_explore",
        "wagtailadmin_explore_results",
        "wagtailadmin_api:pages:listing",
        "wagtailadmin_api:pages:detail",
        "wagtailadmin_choose_page",
        "wagtailadmin_choose_page_child",
        "wagtailadmin_choose_page_search",
        "wagtailadmin_choose_page_chosen_multiple",
        "wagtailadmin_choose_page_external_link",
        "wagtailadmin_choose_page_email_link",
        "wagtailadmin_choose_page_phone_link",
        "wagtailadmin_choose_page_anchor_link",
        "wagtailadmin_block_preview",
        "wagtail_bulk_action",
        "simple_translation:submit_page_translation",
        "wagtailadmin_collections:index",
        "wagtailadmin_collections:add",
        "wagtailadmin_collections:edit",
        "wagtailadmin_collections:delete",
        "wagtailadmin_editing_sessions:ping",
        "wagtailadmin_editing_sessions:release",
        *(
            f"wagtailadmin_pages:{name}"
            for name in [
                "add",
                "preview_on_add",
                "edit",
                "preview_on_edit",
                "view_draft",
                "add_subpage",
                "delete",
                "unpublish",
                "convert_alias",
                "move",
                "move_confirm",
                "set_page_position",
                "copy",
                "workflow_action",
                "collect_workflow_action_data",
                "confirm_workflow_cancellation",
                "workflow_preview",
                "lock",
                "unlock",
                "revisions_index",
                "revisions_view",
                "revisions_revert",
                "revisions_unschedule",
                "revisions_compare",
                "workflow_history",
                "workflow_history_detail",
                "history",
                "history_results",
                "choose_parent",
                "search",
                "search_results",
            ]
        ),
        *(
            f"wagtailimages:{name}"
            for name in [
                "index",
                "index_results",
                "add",
                "edit",
                "delete",
                "preview",
                "add_multiple",
                "edit_multiple",
                "delete_multiple",
                "create_multiple_from_uploaded_image",
                "delete_upload_multiple",
            ]
        ),
        *(
            f"wagtailimages_chooser:{name}"
            for name in ["choose", "choose_results", "chosen", "chosen_multiple", "create", "select_format"]
        ),
        *(
            f"wagtaildocs:{name}"
            for name in [
                "index",
                "index_results",
                "add",
                "edit",
                "delete",
                "add_multiple",
                "edit_multiple",
                "delete_multiple",
                "create_multiple_from_uploaded_document",
                "delete_upload_multiple",
            ]
        ),
        *(
            f"wagtaildocs_chooser:{name}"
            for name in ["choose", "choose_results", "chosen", "chosen_multiple", "create"]
        ),
    }
)
# Pages above one's own may be walked through, not looked into.
WALKED_THROUGH = frozenset(
    {
        "wagtailadmin_explore",
        "wagtailadmin_explore_results",
        "wagtailadmin_choose_page_child",
        "wagtailadmin_api:pages:detail",
    }
)
PAGE_WORDS = ("page_id", "parent_page_id", "page_to_move_id", "destination_id")
PAGE_FIELDS = ("new_parent_page", "parent_page", "chosen_page", "position_after")

_acting: ContextVar[Any] = ContextVar("acting_user", default=None)


def acting_user() -> Any:
    """Whom the administration is serving just now; None on the public site and in jobs."""
    request = _acting.get()
    return request.user if request is not None else None


class AdministrationWall:
    """Middleware, after authentication. Raises 404 for closed addresses and 403 for people without an office."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin/"):
            return self.get_response(request)
        token = _acting.set(request)
        try:
            return self.get_response(request)
        finally:
            _acting.reset(token)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        match = request.resolver_match
        if match is None or not match.route.startswith("admin/") or not request.user.is_authenticated:
            return  # Wagtail sends strangers to sign in
        if request.user.is_superuser or match.route == "admin/login/":
            return
        if not request.user.has_perm("wagtailadmin.access_admin"):
            if match.view_name not in FOR_ANYBODY:
                raise PermissionDenied  # Wagtail would send a signed-in person round in circles
            return
        if not is_open(request, match):
            raise Http404

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Publishing that was refused, by whichever of Wagtail's ways it was asked for."""
        from apps.events import publishing

        return publishing.answer(request, error) if isinstance(error, publishing.NotReady) else None


def is_open(request: HttpRequest, match: ResolverMatch) -> bool:
    """Whether this address of the administration is open to this person."""
    name = match.view_name
    if guards_itself(match):
        return True
    if name in FOR_ALL:
        return True
    if name not in FOR_EDITORS or not tenancy.organisation_ids(request.user, Role.EDITOR):
        return False
    return all(_within_reach(request, match, model, ids) for model, ids in _named(request, match))


def guards_itself(match: ResolverMatch) -> bool:
    """Our desks and choosers, and those that plugins build on `desk`: their rows are scoped in the view."""
    from apps.events import desk

    view_class = getattr(match.func, "view_class", None)  # survives the decorators of the administration
    return view_class is not None and issubclass(view_class, desk.WITHIN_WALLS)


def _named(request: HttpRequest, match: ResolverMatch) -> Iterator[tuple[type[Any], list[Any]]]:
    """(model, ids) of everything of Wagtail's that a request names in its address, query or form."""
    kwargs, name = match.kwargs, match.view_name
    namespace = name.partition(":")[0]
    yield Page, [kwargs[word] for word in PAGE_WORDS if kwargs.get(word)]
    for source in (request.GET, request.POST):
        yield Page, [value for field in PAGE_FIELDS for value in source.getlist(field) if value]
    if name in ("wagtailadmin_pages:revisions_compare", "wagtailadmin_api:pages:detail"):
        yield Page, [kwargs["pk"]]
    if name == "wagtailadmin_choose_page_chosen_multiple":
        yield Page, request.GET.getlist("id")
    if namespace == "wagtailadmin_editing_sessions" and "object_id" in kwargs:
        yield _model(kwargs), [kwargs["object_id"]]
    if name == "wagtail_bulk_action":
        yield _model(kwargs), [*request.GET.getlist("id"), *request.POST.getlist("id")]
    if namespace in ("wagtailimages", "wagtailimages_chooser"):
        yield get_image_model(), _ids(request, kwargs, "image_id", "pk")
    if namespace in ("wagtaildocs", "wagtaildocs_chooser"):
        yield get_document_model(), _ids(request, kwargs, "document_id", "doc_id", "pk")
    if namespace == "wagtailadmin_collections" and kwargs:
        yield Collection, _ids(request, kwargs, "pk", "collection_id")


def _ids(request: HttpRequest, kwargs: dict[str, Any], *words: str) -> list[Any]:
    return [kwargs[word] for word in words if kwargs.get(word)] + request.GET.getlist("id")


def _model(kwargs: dict[str, Any]) -> type[Any]:
    from django.apps import apps

    try:
        return apps.get_model(kwargs["app_label"], kwargs["model_name"])
    except LookupError as error:
        raise Http404 from error


def _within_reach(request: HttpRequest, match: ResolverMatch, model: type[Any], ids: Iterable[Any]) -> bool:
    wanted = set()
    for value in ids:
        if value == "all" and match.view_name == "wagtail_bulk_action":
            continue  # "all" of a listing that is limited already
        if not ID.fullmatch(str(value)):
            return False
        wanted.add(int(value))
    if not wanted:
        return True
    user = request.user
    if issubclass(model, Page):
        reach = tenancy.way_to_pages_of if match.view_name in WALKED_THROUGH else tenancy.pages_of
        found = reach(user).filter(pk__in=wanted)
    elif model in (get_image_model(), get_document_model(), Collection):
        found = (
            policy_registry.get_by_type(model)
            .instances_user_has_any_permission_for(user, {"add", "change", "delete", "choose"})
            .filter(pk__in=wanted)
        )
    else:
        return False
    return found.distinct().count() == len(wanted)
