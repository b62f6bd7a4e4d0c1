"""The organiser's desk for a whole sale: pause, go on, move, end, each with a sentence that everybody sees at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin import messages
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, ObjectList

from apps.events.desk import BelowEvent, DeskCreateView, OrganisationForm, OrganisationViewSet
from apps.events.models import Event
from apps.ticketing import clock, sale_control
from apps.ticketing.models import Order, SaleChange
from apps.ticketing.states import OrderState

Kind = SaleChange.Kind


@dataclass(frozen=True)
class Deed:
    """One thing that can be done to a sale: how the desk calls it, what it means, and the words it proposes."""

    verb: str
    label: Promise
    means: Promise
    say_sv: str = ""
    say_en: str = ""
    is_grave: bool = False


DEEDS = {
    deed.verb: deed
    for deed in (
        Deed(
            "pause",
            gettext_lazy("Pause the sale"),
            gettext_lazy(
                "Nobody is served and no hold runs out until it goes on. Everybody keeps their place, new ones may"
                " join behind them, and payments under way finish."
            ),
            "Vi pausar försäljningen en stund. Din plats är kvar.",
            "We pause the sale for a while. Your place is kept.",
        ),
        Deed(
            "resume",
            gettext_lazy("Let the sale go on"),
            gettext_lazy("The queue is served in its order, and whoever holds places has the time left they had."),
        ),
        Deed(
            "move",
            gettext_lazy("Move the opening"),
            gettext_lazy(
                "The sale stops now if it is open, and opens by itself at the new time. Everybody keeps their place."
                " The tickets that open first, or before that time, open then; those that open later keep their time."
            ),
            "Försäljningen öppnar vid en annan tid. Den som står i kö har kvar sin plats.",
            "The sale opens at another time. Whoever is in line keeps their place.",
        ),
        Deed(
            "end",
            gettext_lazy("End the sale"),
            gettext_lazy("Nothing new is sold. What is held may still be paid. Everybody in line is turned away."),
            "Försäljningen är slut. Tack för intresset!",
            "The sale is over. Thank you for your interest!",
            is_grave=True,
        ),
    )
}


def deeds_for(standing: sale_control.Standing) -> list[Deed]:
    """What can be done to a sale as it stands, the likeliest first."""
    if standing.kind == Kind.PAUSED:
        names = ["resume", "move", "end"]
    elif standing.is_ended:
        names = ["resume", "move"]
    else:
        names = ["pause", "move", "end"]
    return [DEEDS[name] for name in names]


def in_line(event: Event) -> int:
    """How many orders wait to be served."""
    return Order.objects.filter(event=event, state__in=[OrderState.QUEUED, OrderState.WAITING]).count()


class SaleChangeForm(OrganisationForm):
    """The words, the new time where there is one, and which change its writer had before their eyes."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not cleaned.get("say_sv") and not cleaned.get("say_en") and self.instance.kind != Kind.RESUMED:
            self.add_error("say_sv", _("Say in a sentence what happens: everybody who waits sees it."))
        return cleaned


class ChangeSaleView(BelowEvent, DeskCreateView):
    """Does to the sale what `?do=` says. A form that was made before somebody else's change is not carried out."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if self.deed not in deeds_for(self.standing) and request.method == "GET":
            messages.warning(request, _("That cannot be done to this sale now."))
            return HttpResponseRedirect(self.get_event_url())
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def standing(self) -> sale_control.Standing:
        return sale_control.state_of(self.event.pk)

    @cached_property
    def deed(self) -> Deed:
        return DEEDS.get(self.request.GET.get("do", "")) or deeds_for(self.standing)[0]

    def get_panel(self) -> Any:
        words = FieldRowPanel([FieldPanel("say_sv"), FieldPanel("say_en")])
        when = [FieldPanel("opens_at")] if self.deed.verb == "move" else []
        grave = _("Whoever is turned away stays so, also if you open the sale again.") if self.deed.is_grave else ""
        means = HelpPanel(format_html("<p>{} {}</p>", self.deed.means, grave))
        panel = ObjectList([means, *when, words], base_form_class=SaleChangeForm)  # `seen` comes along hidden
        return panel.bind_to_model(self.model)

    def get_form_class(self) -> Any:
        return self.panel.get_form_class()

    def get_initial_form_instance(self) -> Any:
        kind = {"pause": Kind.PAUSED, "resume": Kind.RESUMED, "move": Kind.MOVED, "end": Kind.ENDED}[self.deed.verb]
        return SaleChange(event=self.event, kind=kind)

    def get_initial(self) -> dict[str, Any]:
        return {
            **super().get_initial(),
            "say_sv": self.deed.say_sv,
            "say_en": self.deed.say_en,
            "seen": self.standing.number,
        }

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        if "opens_at" in form.fields:
            form.fields["opens_at"].required = True
        form.fields["say_sv"].help_text = self.tells
        return form

    @property
    def tells(self) -> str:
        """Who reads the sentence."""
        waiting = in_line(self.event)
        return ngettext(
            "%(n)s order is in line now and sees it.", "%(n)s orders are in line now and see it.", waiting
        ) % {"n": waiting}  # fmt: skip

    def get_add_url(self) -> str:
        return f"{super().get_add_url()}&do={self.deed.verb}"

    def get_page_title(self) -> str:
        return str(self.deed.label)

    def get_page_subtitle(self) -> str:
        return f"{self.deed.label}: {self.event}"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        *above, last = super().get_breadcrumbs_items()
        return [*above, {**last, "label": str(self.deed.label)}]

    @property
    def submit_button_label(self) -> str:  # type: ignore[override]
        return str(self.deed.label)

    def form_valid(self, form: Any) -> HttpResponse:
        facts = {name: form.cleaned_data[name] for name in ("say_sv", "say_en", "seen")}
        if self.deed.verb == "move":
            facts["opens_at"] = form.cleaned_data["opens_at"]
        try:
            getattr(sale_control, self.deed.verb)(self.event, actor=self.request.user, **facts)
        except sale_control.ChangedMeanwhile as refusal:
            messages.error(self.request, refusal.sentence)
            return HttpResponseRedirect(self.get_event_url())
        except sale_control.CannotChange as refusal:
            form.add_error(refusal.field or None, ValidationError(refusal.sentence))
            self.produced_error_message = self.get_error_message()
            return self.form_invalid(form)
        messages.success(
            self.request,
            _(
                "Done. Everybody with a page open sees it within five seconds; whoever has JavaScript switched off,"
                " when their page is loaded again."
            ),
        )
        return HttpResponseRedirect(self.get_event_url())


class SaleDesk(OrganisationViewSet):
    model = SaleChange
    name = "sale_desk"
    url_prefix = "sale"
    icon = "time"
    views = ("add",)
    add_view_class = ChangeSaleView
    form_fields = ["say_sv", "say_en", "opens_at"]


@dataclass(frozen=True)
class Told:
    """One change as the desk lists it."""

    at: datetime
    what: str
    who: str
    opens_at: datetime | None
    says: tuple[str, ...]


def history(event: Event) -> list[Told]:
    """What was done to the sale, the latest first. One query."""
    rows = SaleChange.objects.filter(event=event).select_related("actor").order_by("-number")
    return [
        Told(
            at=row.at,
            what=str(row.get_kind_display()),
            who=str(row.actor) if row.actor else _("the system"),
            opens_at=row.opens_at,
            says=tuple(dict.fromkeys(say for say in (row.say_sv, row.say_en) if say)),
        )
        for row in rows
    ]


def ways(event: Event, standing: sale_control.Standing) -> list[tuple[Deed, str]]:
    """(deed, address) of everything that can be done now."""
    address = reverse("sale_desk:add")
    return [(deed, f"{address}?event={event.public_id}&do={deed.verb}") for deed in deeds_for(standing)]


def section_context(event: Event) -> dict[str, Any]:
    """What the event's page at the desk shows of the sale."""
    at = clock.now()
    standing = sale_control.state_of(event.pk)
    return {"standing": standing, "told": standing.told(at), "ways": ways(event, standing), "history": history(event)}
