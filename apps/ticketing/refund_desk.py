"""The treasurer's desk for money that goes back: refunds of an order, and the list of what is still to do.

A refund is always looked at before it is made: the first form says what, the next page says what that comes to, and
only its button does it. What changed in between is refused, with the page as it is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View
from laces.components import Component
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permissions import policy_registry

from apps.accounts.second_step_demand import demands_second_step
from apps.events.desk import AddressesByPublicId
from apps.events.wording import write_money
from apps.ticketing import clock, payouts, refund_rule, refund_tasks, refunds, way_back
from apps.ticketing.models import Order, OrderLine, Refund
from apps.ticketing.price_field import HIGHEST_SUM_MINOR, PriceField
from apps.ticketing.states import OrderState
from apps.ticketing.transitions import StaleState

LONGEST_NOTE = 200
# Who refunded, as the audit of an order tells it to the desk; the sentences of the codes speak to the buyer.
WORDS = {
    refunds.BY_BUYER: gettext_lazy("The buyer gave the tickets back"),
    refunds.BY_ORGANISER: gettext_lazy("Refunded at the desk"),
    refunds.GOODWILL: gettext_lazy("A part of the price given back"),
    refunds.PRICE_LOWERED: gettext_lazy("A lower price was verified after the payment"),
}


@dataclass(frozen=True)
class Plan:
    """What a refund would do, in minor units. `fee_minor` is kept of what the lines still are worth."""

    lines: tuple[OrderLine, ...]
    back_minor: int
    fee_minor: int = 0
    is_partial: bool = False


class NoteForm(forms.Form):
    """Every refund has a reason, and so has every debt that was paid in another way."""

    note = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=LONGEST_NOTE,
        help_text=gettext_lazy("For your books and the audit. The buyer does not see it."),
        error_messages={"required": gettext_lazy("Say why: whoever keeps the books after you will ask.")},
    )


class TicketsForm(NoteForm):
    """Which tickets end, and whether the rule's fee is kept."""

    field_order = ("tickets", "fee", "note")
    tickets = forms.MultipleChoiceField(
        label=gettext_lazy("Tickets"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one ticket.")},
    )
    fee = forms.ChoiceField(label=gettext_lazy("Fee"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, parts: list[refund_rule.Part], currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts = parts
        self.fields["tickets"].choices = choices_of(parts, currency)  # type: ignore[attr-defined]
        if any(part.fee_minor for part in parts):
            fees = sum(part.fee_minor for part in parts)
            kept = _("Keep the event's fee, %(sum)s for all of them") % {"sum": write_money(fees, currency)}
            self.fields["fee"].choices = [("none", _("No fee")), ("rule", kept)]  # type: ignore[attr-defined]
            self.fields["fee"].initial = "none"
        else:
            del self.fields["fee"]

    @property
    def plan(self) -> Plan:
        chosen = [part for part in self.parts if str(part.line.public_id) in self.cleaned_data["tickets"]]
        keeps = self.cleaned_data.get("fee") == "rule"
        fee = sum(part.fee_minor for part in chosen) if keeps else 0
        kept = sum(part.line.kept_minor for part in chosen)
        return Plan(tuple(part.line for part in chosen), kept - fee, fee)


class PartForm(NoteForm):
    """A part of what one ticket cost, which stays valid."""

    field_order = ("ticket", "amount_minor", "note")
    ticket = forms.ChoiceField(
        label=gettext_lazy("Ticket"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose a ticket.")},
    )
    amount_minor = PriceField(label=gettext_lazy("Amount"), highest_minor=HIGHEST_SUM_MINOR)  # with its choices

    def __init__(self, *args: Any, parts: list[refund_rule.Part], currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts = [part for part in parts if part.line.kept_minor]
        self.currency = currency
        self.fields["ticket"].choices = choices_of(self.parts, currency)  # type: ignore[attr-defined]
        if len(self.parts) == 1:
            self.fields["ticket"].initial = str(self.parts[0].line.public_id)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "ticket" in cleaned and "amount_minor" in cleaned:
            left = self.part.line.kept_minor
            if cleaned["amount_minor"] == 0:
                self.add_error("amount_minor", _("Write an amount above 0."))
            elif cleaned["amount_minor"] > left:
                most = write_money(left, self.currency)
                self.add_error("amount_minor", _("At most %(most)s is left of this ticket.") % {"most": most})
        return cleaned

    @property
    def part(self) -> refund_rule.Part:
        return next(part for part in self.parts if str(part.line.public_id) == self.cleaned_data["ticket"])

    @property
    def plan(self) -> Plan:
        return Plan((self.part.line,), self.cleaned_data["amount_minor"], is_partial=True)


def choices_of(parts: list[refund_rule.Part], currency: str) -> list[tuple[str, str]]:
    """(public id, words) of each ticket: its number and name, what is left of its price, and its state if it is odd."""
    found = []
    for part in parts:
        words = ", ".join(filter(None, [part.name, part.chosen, write_money(part.line.kept_minor, currency)]))
        if part.ticket is not None and part.why_not and part.ticket.state != "valid":
            words += f" ({part.ticket.get_state_display()})"
        found.append((str(part.line.public_id), words))
    return found


# --- One order -----------------------------------------------------------------------------------------------------


@demands_second_step
class RefundView(AddressesByPublicId, WagtailAdminTemplateMixin, View):
    """Refunds tickets of an order or a part of a price. `what` says which form it is, `confirm` that it was seen."""

    model = Order
    page_title = gettext_lazy("Refund")
    header_icon = "resubmit"
    template_name = "ticketing/admin/refund.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def parts(self) -> list[refund_rule.Part]:
        """What is paid and not refunded, whatever became of its ticket; the rule binds buyers, not the treasurer."""
        found = refund_rule.offer(self.object, clock.now()).parts
        return [part for part in found if part.line.is_held and part.line.refunded_at is None]

    @cached_property
    def ticket_order(self) -> Order | None:
        """Of an order that pays more for a ticket, the ticket's own; None for any other. Refunded by itself, the ticket
        would keep what was paid for."""
        if not self.object.is_supplement:
            return None
        return Order.objects.get(lines__choice_changes__line__order=self.object)

    def get_page_subtitle(self) -> str:
        return str(self.object)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("order_desk:index"), "label": _("Orders")},
            {"url": self.order_url, "label": str(self.object)},
            {"url": "", "label": _("Refund")},
        ]

    @property
    def order_url(self) -> str:
        return reverse("order_desk:inspect", args=[self.object.public_id])

    def _form(self, kind: type[Any], *, sent: bool) -> Any:
        data = self.request.POST if sent else None
        return kind(data, parts=self.parts, currency=self.object.currency)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show()

    def _show(self, *, tickets: Any = None, part: Any = None, problem: str = "", status: int = 200) -> HttpResponse:
        context = self.get_context_data(
            order=self.object,
            order_url=self.order_url,
            ticket_order=self.ticket_order,
            is_paid=self.object.state == OrderState.PAID and bool(self.parts),
            tickets_form=tickets or self._form(TicketsForm, sent=False),
            part_form=part or self._form(PartForm, sent=False),
            has_price=any(line.line.kept_minor for line in self.parts),
            problem=problem,
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_partial = request.POST.get("what") == "part"
        form = self._form(PartForm if is_partial else TicketsForm, sent=True)
        if self.object.state != OrderState.PAID or not self.parts:
            return self._show(
                problem=_("Nothing of this order can be refunded any more. No money has moved."), status=409
            )
        if self.ticket_order and not is_partial:
            return self._show(problem=_("What was paid more for a ticket goes back with the ticket alone."), status=409)
        if not form.is_valid():
            gone = "confirm" in request.POST
            problem = _("This order has changed since you looked at it. No money has moved.") if gone else ""
            shown = {"part": form} if is_partial else {"tickets": form}
            return self._show(**shown, problem=problem, status=409 if gone else 422)
        plan: Plan = form.plan
        seen = f"{plan.back_minor}-{plan.fee_minor}"
        if "confirm" not in request.POST:
            return self._ask(form, plan, seen)
        if request.POST.get("seen") != seen:
            return self._ask(form, plan, seen, problem=_("The sums have changed since you looked. No money has moved."))
        return self._carry_out(form.cleaned_data["note"], plan)

    def _ask(self, form: Any, plan: Plan, seen: str, problem: str = "") -> HttpResponse:
        context = self.get_context_data(
            order=self.object,
            plan=plan,
            way=way_back.of_order(self.object),
            form=form,
            sent=[(name, value) for name in form.fields for value in self.request.POST.getlist(name)],
            seen=seen,
            what="part" if plan.is_partial else "tickets",
            problem=problem,
            ends=[f"{line.position + 1}. {line.ticket_type.name}" for line in plan.lines],
            back_url=self.request.path,
        )
        self.template_name = "ticketing/admin/refund_confirm.html"
        return self.render_to_response(context, status=409 if problem else 200)

    def _carry_out(self, note: str, plan: Plan) -> HttpResponse:
        actor = self.request.user
        try:
            if plan.is_partial:
                refund: Refund | None = refunds.give_back(
                    self.object, plan.lines[0], plan.back_minor, note=note, actor=actor
                )
            else:
                refund = refunds.order_refund(
                    self.object,
                    plan.lines,
                    reason=refunds.BY_ORGANISER,
                    fee_minor=plan.fee_minor,
                    note=note,
                    actor=actor,
                )
        except refunds.Disputed as refusal:
            messages.error(self.request, refusal.sentence)
        except (refunds.NothingToRefund, refunds.MoreThanLeft, refunds.FeeTooHigh, StaleState):
            messages.error(self.request, _("Somebody was faster: this order has changed. No money has moved."))
        else:
            messages.success(self.request, _done(refund))
        return HttpResponseRedirect(self.order_url)


def _done(refund: Refund | None) -> str:
    if refund is None:
        return _("The tickets are not valid any more, and their places are on sale again. No money had to move.")
    return _("%(sum)s is on its way back, and the buyer is told.") % {
        "sum": write_money(refund.amount_minor, refund.currency)
    }


# --- What is to do -------------------------------------------------------------------------------------------------


class TaskListView(AddressesByPublicId, PermissionCheckedMixin, WagtailAdminTemplateMixin, View):
    """Everything that waits for the treasurer, with the ways to get it done."""

    model = Order
    permission_required = "view"
    page_title = gettext_lazy("To do")
    header_icon = "tasks"
    template_name = "ticketing/admin/refund_tasks.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": _("To do")}]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(tasks=refund_tasks.of(request.user)))


class OneTaskView(AddressesByPublicId, WagtailAdminTemplateMixin, View):
    """One failed refund that is still owed."""

    model = Refund
    header_icon = "tasks"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.object = self.get_object()
        return super().dispatch(request, *args, **kwargs)

    def done(self) -> HttpResponse:
        return HttpResponseRedirect(reverse("refund_task:index"))

    def too_late(self) -> HttpResponse:
        messages.warning(self.request, _("Somebody was faster: this is done already, and nothing more was sent."))
        return self.done()


@demands_second_step
class AgainView(OneTaskView):
    """Sends a failed refund once more, the way the buyer paid."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            refund = refunds.send_again(self.object, actor=request.user)
        except refunds.NoDebt:
            return self.too_late()
        except refunds.Disputed as refusal:
            messages.error(request, refusal.sentence)
            return self.done()
        messages.success(request, _done(refund))
        return self.done()


@demands_second_step
class OtherwiseView(OneTaskView):
    """Records that the debt was paid in another way."""

    page_title = gettext_lazy("Paid otherwise")
    template_name = "ticketing/admin/refund_otherwise.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("refund_task:index"), "label": _("To do")},
            {"url": "", "label": str(self.page_title)},
        ]

    def _form(self, *data: Any) -> NoteForm:
        form = NoteForm(*data)
        form.fields["note"].label = _("How and when")
        form.fields["note"].help_text = _("Such as “Swish to Kim, 3 December”. The buyer does not see it.")
        form.fields["note"].error_messages["required"] = _("Say how it was paid: your auditor will ask.")
        return form

    def _show(self, form: NoteForm, status: int = 200) -> HttpResponse:
        if not refund_tasks.debts(Order.objects.filter(pk=self.object.payment.order_id)).filter(pk=self.object.pk):
            return self.too_late()
        account = payouts.of([self.object]).get(self.object.pk)
        context = self.get_context_data(
            refund=self.object,
            order=self.object.payment.order,
            form=form,
            account=account,
            account_number=payouts.write_number(account.number) if account else "",
        )
        return self.render_to_response(context, status=status)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._show(self._form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid():
            return self._show(form, status=422)
        try:
            refunds.pay_otherwise(self.object, note=form.cleaned_data["note"], actor=request.user)
        except refunds.NoDebt:
            return self.too_late()
        paid = write_money(self.object.owed_minor, self.object.currency)
        messages.success(request, _("%(sum)s is noted as paid.") % {"sum": paid})
        return self.done()


class TaskMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return keeps_books(request)


def keeps_books(request: HttpRequest) -> bool:
    """Whether this person sees orders and so has their tasks."""
    return policy_registry.get_by_type(Order).user_has_permission(request.user, "view")


class RefundTaskDesk(ViewSet):
    """The addresses of what is to do, and its place in the menu."""

    name = "refund_task"
    url_prefix = "to-do"
    icon = "tasks"
    menu_label = gettext_lazy("To do")
    menu_name = "to-do"
    menu_order = 155
    menu_item_class = TaskMenuItem
    add_to_admin_menu = True

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.construct_view(TaskListView), name="index"),
            path("<uuid:pk>/again/", self.construct_view(AgainView), name="again"),
            path("<uuid:pk>/otherwise/", self.construct_view(OtherwiseView), name="otherwise"),
        ]


class TasksPanel(Component):
    """The dashboard's word to a treasurer that something waits."""

    name = "refund_tasks"
    template_name = "ticketing/admin/refund_tasks_panel.html"
    order = 40

    def __init__(self, tasks: list[refund_tasks.Task]) -> None:
        self.tasks = tasks

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        number = len(self.tasks)
        words = ngettext("%(n)d thing waits for you", "%(n)d things wait for you", number) % {"n": number}
        return {"words": words}


def add_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Tell a treasurer on the dashboard what waits, when something does."""
    tasks = refund_tasks.of(request.user) if keeps_books(request) else []
    if tasks:
        panels.append(TasksPanel(tasks))
