"""The treasurer's desk for the association's account at Stripe: connect it, see how it stands, go on, remove it.

Stripe sends people back with an address of ours that holds a signed state: who began, in which session, for which
organisation. It grants nothing by itself; the same person must be signed in, in the same session, and still be a
treasurer. Whoever comes with any other is told to begin again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.generic.base import ContextMixin, TemplateResponseMixin
from laces.components import Component
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.viewsets.base import ViewSet

from apps.accounts.second_step_demand import demands_second_step
from apps.events import tenancy
from apps.events.desk import AddressesByPublicId
from apps.events.models import Organisation
from apps.events.tenancy import Role
from apps.ticketing.models import StripeAccount
from apps.ticketing.payments import connect

STATE_SECONDS = 3600
SALT = "ticketing.connect"


def organisations_of(user: Any) -> Any:
    """Those whose money this person keeps."""
    return tenancy.scope(Organisation.objects.all(), user, Role.TREASURER)


def is_for(request: HttpRequest) -> bool:
    """Whether this person keeps any organisation's money. One query in a request."""
    user = request.user
    return user.is_active and (user.is_superuser or bool(tenancy.organisation_ids(user, Role.TREASURER)))


def is_on() -> bool:
    """Whether organisations have accounts of their own here."""
    return bool(settings.STRIPE_CONNECT and settings.STRIPE_SECRET_KEY)


# --- The state -----------------------------------------------------------------------------------------------------


def seal(request: HttpRequest, organisation: Organisation) -> str:
    """The state that comes back from Stripe: good for an hour, for this person in this session."""
    return signing.dumps([str(organisation.public_id), *_whose(request)], salt=SALT)


def unseal(request: HttpRequest) -> Organisation | None:
    """The organisation of the request's state; None when it is not this person's, in this session, within an hour, or
    when they keep its money no more."""
    try:
        public_id, *whose = signing.loads(request.GET.get("state", ""), salt=SALT, max_age=STATE_SECONDS)
        wanted = UUID(public_id)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None
    if whose != _whose(request):
        return None
    return organisations_of(request.user).filter(public_id=wanted).first()


def _whose(request: HttpRequest) -> list[str]:
    session = request.session.session_key or ""
    return [str(request.user.pk), hashlib.sha256(f"{SALT}:{session}".encode()).hexdigest()]


# --- The desk ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """One organisation as the desk shows it."""

    organisation: Organisation
    account: StripeAccount | None
    words: connect.Words
    asked_for: list[Promise]
    ends_in: str  # the last letters of the account's id, to find it in Stripe's dashboard


def shown(organisation: Organisation, account: StripeAccount | None) -> Shown:
    return Shown(
        organisation=organisation,
        account=account,
        words=connect.WORDS[connect.standing_of(account)],
        asked_for=connect.asked_for(account) if account else [],
        ends_in=account.account[-6:] if account else "",
    )


class StripeView(AddressesByPublicId, View):
    """What the desk's views share: treasurers only, own organisations only."""

    model = Organisation

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "pk" in kwargs:
            self.organisation = get_object_or_404(organisations_of(request.user), public_id=kwargs["pk"])
            if not is_on() and request.method == "POST":
                raise Http404
        elif not is_for(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def to_stripe(self, organisation: Organisation) -> HttpResponse:
        """On to Stripe's page; back to the desk with a sentence when that does not work."""
        from apps.ticketing.payments import connect_onboarding  # a large library: only where it is used

        state = seal(self.request, organisation)
        home = settings.SITE_URL
        try:
            url = connect_onboarding.begin(
                organisation,
                actor=self.request.user,
                return_url=f"{home}{reverse('stripe_desk:back')}?state={state}",
                refresh_url=f"{home}{reverse('stripe_desk:again')}?state={state}",
            )
        except connect_onboarding.Trouble as trouble:
            messages.error(self.request, trouble.sentence)
            return to_desk()
        return HttpResponseRedirect(url)

    def look(self, organisation: Organisation) -> None:
        """Ask Stripe, and say how the account stands."""
        from apps.ticketing.payments import connect_onboarding

        try:
            account = connect_onboarding.look(organisation)
        except connect_onboarding.Trouble as trouble:
            messages.error(self.request, trouble.sentence)
            return
        words = connect.WORDS[connect.standing_of(account)]
        say = messages.warning if words.is_bad or words.button else messages.success
        say(self.request, f"{organisation}: {words.short}. {words.means}")


def to_desk() -> HttpResponse:
    return HttpResponseRedirect(reverse("stripe_desk:index"))


class IndexView(StripeView, WagtailAdminTemplateMixin, TemplateResponseMixin, ContextMixin):
    template_name = "ticketing/admin/stripe_desk.html"
    page_title = gettext_lazy("Payment by Stripe")
    header_icon = "lock"
    _show_breadcrumbs = True

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": str(self.page_title)}]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        own = list(organisations_of(request.user))
        accounts = {row.organisation_id: row for row in StripeAccount.objects.filter(organisation__in=own)}
        context = self.get_context_data(
            is_on=is_on(),
            fee_percent=settings.STRIPE_PLATFORM_FEE_PERCENT,
            shown=[shown(each, accounts.get(each.pk)) for each in own],
        )
        return self.render_to_response(context)


@demands_second_step
class BeginView(StripeView):
    """The button that leads to Stripe: the first time, and after every cancel."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        return self.to_stripe(self.organisation)


class LookView(StripeView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        self.look(self.organisation)
        return to_desk()


@demands_second_step
class LeaveView(StripeView):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        from apps.ticketing.payments import connect_onboarding

        if "sure" not in request.POST:
            messages.warning(request, _("Nothing was changed. Tick the box to say that you are sure."))
            return to_desk()
        try:
            connect_onboarding.leave(self.organisation, actor=request.user)
        except connect_onboarding.Trouble as trouble:
            messages.error(request, trouble.sentence)
        else:
            messages.success(
                request,
                _("The account is removed and sells nothing any more. What was paid there is still refunded there."),
            )
        return to_desk()


class FromStripe(StripeView):
    """Whoever comes back from Stripe, with a state."""

    def get(self, request: HttpRequest) -> HttpResponse:
        organisation = unseal(request) if is_on() else None
        if organisation is None:
            messages.warning(
                request,
                _("That link is too old, or was begun by somebody else or before you signed in. Nothing was changed."),
            )
            return to_desk()
        return self.came(organisation)

    def came(self, organisation: Organisation) -> HttpResponse:
        raise NotImplementedError


class BackView(FromStripe):
    """They finished, or left for now: only Stripe knows which."""

    def came(self, organisation: Organisation) -> HttpResponse:
        self.look(organisation)
        return to_desk()


@demands_second_step
class AgainView(FromStripe):
    """Stripe's link was used or too old: another one."""

    def came(self, organisation: Organisation) -> HttpResponse:
        return self.to_stripe(organisation)


class StripeMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return is_on() and is_for(request)


class StripeDesk(ViewSet):
    """The desk's addresses, and its place in the menu where organisations have accounts of their own."""

    name = "stripe_desk"
    url_prefix = "stripe"
    icon = "lock"
    menu_label = gettext_lazy("Payment by Stripe")
    menu_name = "stripe"
    menu_order = 170
    menu_item_class = StripeMenuItem
    add_to_admin_menu = True

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.construct_view(IndexView), name="index"),
            path("back/", self.construct_view(BackView), name="back"),
            path("again/", self.construct_view(AgainView), name="again"),
            path("<uuid:pk>/begin/", self.construct_view(BeginView), name="begin"),
            path("<uuid:pk>/look/", self.construct_view(LookView), name="look"),
            path("<uuid:pk>/leave/", self.construct_view(LeaveView), name="leave"),
        ]


class StripePanel(Component):
    """On the dashboard of a treasurer, while something at Stripe needs them."""

    name = "stripe"
    template_name = "ticketing/admin/stripe_panel.html"
    order = 40

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        accounts = StripeAccount.objects.filter(organisation__in=organisations_of(self.request.user))
        told = [shown(account.organisation, account) for account in accounts.select_related("organisation")]
        return {"shown": [each for each in told if each.words.is_bad]}
