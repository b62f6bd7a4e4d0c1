"""What every desk in the administration is built on: view set, chooser, report and form that stay within the user's
organisations. Lists show only own rows, an address of somebody else's row is 404, and every choice of a form offers
only rows of the same organisation, so that a crafted id is refused like any other impossible value.

Addresses carry public ids. A model on a desk has `public_id`, `ORGANISATION_PATH` and an OrganisationPermissionPolicy.
"""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.admin_url_finder import ModelAdminURLFinder
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.ui.tables import Column
from wagtail.admin.views import generic
from wagtail.admin.views.generic import chooser
from wagtail.admin.views.reports import ReportView
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets import BaseChooser
from wagtail.permissions import policy_registry

from apps.events import tenancy, wording
from apps.events.models import Event, Organisation
from apps.events.tenancy import OrganisationPermissionPolicy
from apps.events.wall import acting_user


def rows_for(user: Any, model: type[models.Model], *actions: str) -> QuerySet[Any]:
    """The rows on which `user` may do one of `actions`, by the model's registered policy."""
    return policy_registry.get_by_type(model).instances_user_has_any_permission_for(user, actions)


def as_uuid(text: str) -> uuid.UUID | None:
    """A public id from an address or a form; None for anything else."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


# --- Forms ---------------------------------------------------------------------------------------------------------


class OrganisationForm(WagtailAdminModelForm):
    """A model form whose choices lie within one organisation: the row's own, or before it has one, any of the user's.

    A field `organisation` is filled in by itself for somebody who acts for one only, and never changes afterwards.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "organisation" in self.fields:
            self._settle_organisation()
        self.limit_choices(self.fields, tenancy.organisation_id_of(self.instance) if self.instance.pk else None)

    def limit_choices(self, fields: dict[str, forms.Field], organisation_id: int | None) -> None:
        """Let relational fields offer rows of `organisation_id` only (None: of the user's organisations)."""
        for field in fields.values():
            if not isinstance(field, forms.ModelChoiceField):
                continue
            assert field.queryset is not None  # a field of a model form always has one
            path = getattr(field.queryset.model, "ORGANISATION_PATH", None)
            if path is None:
                continue
            rows = tenancy.scope(field.queryset, self.for_user, *self.roles)
            field.queryset = rows if organisation_id is None else rows.filter(**{path: organisation_id})

    @cached_property
    def roles(self) -> tuple[tenancy.Role, ...]:
        policy = policy_registry.get_by_type(self._meta.model)
        return policy.change_roles if isinstance(policy, OrganisationPermissionPolicy) else (tenancy.Role.EDITOR,)

    def _settle_organisation(self) -> None:
        own = list(tenancy.scope(Organisation.objects.all(), self.for_user, *self.roles)[:2])
        if len(own) == 1:
            if self.instance.pk is None:
                self.instance.organisation = own[0]
            del self.fields["organisation"]  # nothing to ask
        elif self.instance.pk is not None:
            self.fields["organisation"].disabled = True


class OrganisationFilterSet(WagtailFilterSet):
    """Filters of a list; relational ones offer only rows that the user may see."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.form.fields.values():
            if not isinstance(field, forms.ModelChoiceField):
                continue
            assert field.queryset is not None  # a filter over a relation always has one
            if getattr(field.queryset.model, "ORGANISATION_PATH", None):
                field.queryset = tenancy.scope(field.queryset, self.request.user)


# --- Views ---------------------------------------------------------------------------------------------------------


class AddressesByPublicId:
    """Wagtail's generic views, with public ids in addresses and rows looked up among those the user may touch."""

    object: Any
    request: HttpRequest
    kwargs: dict[str, Any]
    actions_needed: tuple[str, ...] = ("view",)

    def get_object(self, queryset: QuerySet[Any] | None = None) -> Any:
        rows = rows_for(self.request.user, self.model, *self.actions_needed)  # type: ignore[attr-defined]
        return get_object_or_404(rows, public_id=self.kwargs["pk"])

    def _address(self, name: str | None, action: str, row: Any = None) -> str | None:
        row = row if row is not None else self.object
        policy = policy_registry.get_by_type(type(row))
        if not name or not policy.user_has_permission_for_instance(self.request.user, action, row):
            return None
        return reverse(name, args=[row.public_id])

    def get_edit_url(self, instance: Any = None) -> str | None:
        return self._address(self.edit_url_name, "change", instance)  # type: ignore[attr-defined]

    def get_delete_url(self, instance: Any = None) -> str | None:
        return self._address(self.delete_url_name, "delete", instance)  # type: ignore[attr-defined]

    def get_inspect_url(self, instance: Any = None) -> str | None:
        return self._address(self.inspect_url_name, "view", instance)  # type: ignore[attr-defined]

    def get_copy_url(self, instance: Any = None) -> str | None:
        return None


class MomentColumn(Column):
    """A moment in a list, as written everywhere; Wagtail's own column knows only how long ago it was."""

    def get_value(self, instance: Any) -> str:
        value = super().get_value(instance)
        return wording.write_moment(value) if value else ""


class DeskIndexView(AddressesByPublicId, generic.IndexView):
    base_filterset_class = OrganisationFilterSet

    def get_base_queryset(self) -> QuerySet[Any]:
        return rows_for(self.request.user, self.model, *self.any_permission_required)


class DeskCreateView(AddressesByPublicId, generic.CreateView):
    """After creating, one stays with the new thing: there is usually more to say about it."""

    def get_success_url(self) -> str:
        return self.get_edit_url() or super().get_success_url()

    def get_success_buttons(self) -> list[Any]:
        return []


class DeskEditView(AddressesByPublicId, generic.EditView):
    actions_needed = ("change",)

    def get_success_url(self) -> str:
        return self.get_edit_url() or super().get_success_url()

    def get_success_buttons(self) -> list[Any]:
        return []


class DeskDeleteView(AddressesByPublicId, generic.DeleteView):
    """Deletes what nothing depends on; otherwise says why not, in a sentence."""

    actions_needed = ("delete",)
    protected_sentence = gettext_lazy("This cannot be deleted: other things depend on it.")

    def form_valid(self, form: Any) -> HttpResponse:
        back = self.get_edit_url() or self.get_success_url()
        try:
            return super().form_valid(form)
        except models.ProtectedError as error:
            messages.error(self.request, " ".join([str(self.protected_sentence), *self._dependants(error)]))
        except models.RestrictedError:
            messages.error(self.request, self.protected_sentence)
        return HttpResponseRedirect(back)

    @staticmethod
    def _dependants(error: models.ProtectedError) -> list[str]:
        """A sentence that names what depends on it, where that has a name to give (`NAMES_WHAT_DEPENDS`)."""
        rows = [row for row in error.protected_objects if getattr(row, "NAMES_WHAT_DEPENDS", False)]
        names = [_("“%(name)s”") % {"name": name} for name in dict.fromkeys(map(str, rows))]
        return [_("These depend on it: %(names)s.") % {"names": ", ".join(names)}] if names else []


class BelowEvent:
    """A desk's view of a row that belongs to one event: new ones name it by `?event=`, and one returns to it."""

    request: HttpRequest
    object: Any
    model: type[models.Model]

    @cached_property
    def event(self) -> Event:
        if getattr(self, "object", None) is not None and self.object.pk:
            return self.object.event
        events = rows_for(self.request.user, Event, "change")
        return get_object_or_404(events, public_id=as_uuid(self.request.GET.get("event", "")))

    def get_initial_form_instance(self) -> Any:
        return self.model(event=self.event)

    def get_add_url(self) -> str:
        return f"{super().get_add_url()}?event={self.event.public_id}"  # type: ignore[misc]

    def get_event_url(self) -> str:
        return reverse("event_desk:edit", args=[self.event.public_id])

    def get_success_url(self) -> str:
        return self.get_event_url()

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        title = self.object if getattr(self, "object", None) is not None and self.object.pk else _("New")
        return [
            *self.breadcrumbs_items,  # type: ignore[attr-defined]
            {"url": reverse("event_desk:index"), "label": str(Event._meta.verbose_name_plural).capitalize()},
            {"url": self.get_event_url(), "label": str(self.event)},
            {"url": "", "label": str(title), "sublabel": str(self.model._meta.verbose_name)},
        ]


class BelowEventDeleteView(BelowEvent, DeskDeleteView):
    pass


class OnePerEventCreateView(BelowEvent, DeskCreateView):
    """Creates what an event has one of: whoever would make a second one changes the first."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._known() or super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._known() or super().post(request, *args, **kwargs)

    def _known(self) -> HttpResponseRedirect | None:
        row: Any = self.model._default_manager.filter(event=self.event).first()
        return HttpResponseRedirect(reverse(self.edit_url_name, args=[row.public_id])) if row else None


class DeskInspectView(AddressesByPublicId, generic.InspectView):
    any_permission_required = ["view"]


class OrganisationViewSet(ModelViewSet):
    """The base of every desk: list, create, edit, delete and, where wanted, inspect, all within the walls.

    `protected_sentence` says why something that others depend on stays. Wagtail's history, usage and copy views are
    left out: they would name things and people across organisations.
    """

    index_view_class = DeskIndexView
    add_view_class = DeskCreateView
    edit_view_class = DeskEditView
    delete_view_class = DeskDeleteView
    inspect_view_class = DeskInspectView
    copy_view_enabled = False
    add_to_reference_index = False
    pk_path_converter = "uuid"
    protected_sentence = DeskDeleteView.protected_sentence
    views: tuple[str, ...] = ("index", "index_results", "add", "edit", "delete")

    def get_common_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        offered = {
            f"{name}_url_name": self.get_url_name(name) if name in self.views else None
            for name in ("add", "edit", "delete")
        }
        return super().get_common_view_kwargs(
            **{
                **offered,
                "history_url_name": None,
                "usage_url_name": None,
                "protected_sentence": self.protected_sentence,
                **kwargs,
            }
        )

    def get_urlpatterns(self) -> list[URLPattern]:
        routes = {
            "index": "",
            "index_results": "results/",
            "add": "new/",
            "edit": "edit/<uuid:pk>/",
            "delete": "delete/<uuid:pk>/",
            "inspect": "inspect/<uuid:pk>/",
        }
        return [path(routes[name], getattr(self, f"{name}_view"), name=name) for name in self.views]

    @property
    def url_finder_class(self) -> type[ModelAdminURLFinder]:
        name = self.get_url_name("edit") if "edit" in self.views else None

        class Finder(ModelAdminURLFinder):
            edit_url_name = name

            def construct_edit_url(self, instance: Any) -> str | None:
                return reverse(self.edit_url_name, args=[instance.public_id]) if self.edit_url_name else None

        return Finder


class OrganisationReportView(ReportView):
    """A report over the rows of `model` that the user may see."""

    model: type[models.Model]
    any_permission_required = ["view"]

    def get_base_queryset(self) -> QuerySet[Any]:
        return rows_for(self.request.user, self.model, "view")


# --- Choosers ------------------------------------------------------------------------------------------------------


class OrganisationChooser(BaseChooser):
    """The chooser's widget. It shows the name of a row only to somebody who may see that row."""

    def get_instance(self, value: Any) -> Any:
        instance = super().get_instance(value)
        user = acting_user()
        if instance is None or user is None:
            return instance
        return tenancy.scope(type(instance)._default_manager.filter(pk=instance.pk), user).first()


class _WithinWalls:
    request: HttpRequest
    model_class: Any

    def get_object_list(self) -> QuerySet[Any]:
        return tenancy.scope(super().get_object_list(), self.request.user)  # type: ignore[misc]

    def get_object(self, pk: Any) -> Any:
        return get_object_or_404(tenancy.scope(self.model_class.objects.all(), self.request.user), pk=pk)

    def get_objects(self, pks: Any) -> QuerySet[Any]:
        return tenancy.scope(self.model_class.objects.filter(pk__in=pks), self.request.user)


class _Choose(_WithinWalls, chooser.ChooseView):
    pass


class _ChooseResults(_WithinWalls, chooser.ChooseResultsView):
    pass


class _Chosen(_WithinWalls, chooser.ChosenView):
    pass


class _ChosenMultiple(_WithinWalls, chooser.ChosenMultipleView):
    pass


class OrganisationChooserViewSet(ChooserViewSet):
    """The base of every chooser: offers, finds and names only rows of the user's organisations. Creates none."""

    choose_view_class = _Choose
    choose_results_view_class = _ChooseResults
    chosen_view_class = _Chosen
    chosen_multiple_view_class = _ChosenMultiple
    base_widget_class = OrganisationChooser

    def get_urlpatterns(self) -> list[URLPattern]:
        return [pattern for pattern in super().get_urlpatterns() if pattern.name != "create"]


# Views built on these look rows up among the user's own; the wall lets them be (see `wall.guards_itself`).
WITHIN_WALLS = (AddressesByPublicId, OrganisationReportView, _WithinWalls)
