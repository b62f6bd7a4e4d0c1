"""What buyers open: the ticket form, their order, their ticket. Included under the language's prefix.

References and secrets are matched to their own alphabets, so that nothing else ever reaches the database.
"""

from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from apps.ticketing import (
    answer_views,
    change_views,
    document_views,
    gift_views,
    move_views,
    payout_views,
    place_views,
    preview,
    refund_views,
    reminder_views,
    self_service_views,
    ticket_views,
    views,
)


class ReferenceConverter(StringConverter):
    """An order's reference: eight characters that can be spoken."""

    regex = "[0-9A-Z]{8}"


class SecretConverter(StringConverter):
    """The part of a link that grants access; masked in logs."""

    regex = "[A-Za-z0-9_-]{16,64}"


register_converter(ReferenceConverter, "reference")
register_converter(SecretConverter, "secret")

app_name = "ticketing"
order = "orders/<reference:reference>/<secret:secret>/"
urlpatterns = [
    path("events/<uuid:event>/tickets/", views.tickets, name="form"),
    path("events/<uuid:event>/tickets/preview/", preview.tickets, name="form_preview"),
    path("events/<uuid:event>/tickets/status/", views.sale_status, name="sale_status"),
    path("events/<uuid:event>/remind/", reminder_views.remind, name="remind"),
    path("events/<uuid:event>/opening.ics", reminder_views.opening_ics, name="opening_ics"),
    path("reminders/<uuid:reminder>/<secret:secret>/", reminder_views.reminder, name="reminder"),
    path("events/<uuid:event>/sale/", views.sale_news, name="sale_news"),
    path("events/<uuid:event>/draw/", views.draw, name="draw"),
    path("events/<uuid:event>/draw/draw.json", views.draw_file, name="draw_file"),
    path("orders/find/", self_service_views.find, name="find_orders"),
    path(order, views.order, name="order"),
    path(f"{order}repair/", self_service_views.repair, name="order_repair"),
    path("orders/<reference:reference>/<secret:token>/claim/", place_views.claim, name="order_claim"),
    path(f"{order}status/", views.order_status, name="order_status"),
    path(f"{order}pay/", views.pay, name="order_pay"),
    path(f"{order}leave/", views.leave, name="order_leave"),
    path(f"{order}refund/", refund_views.refund, name="order_refund"),
    path(f"{order}payout/<uuid:refund>/", payout_views.payout, name="order_payout"),
    path(f"{order}keep/", views.keep_offer, name="order_keep"),
    path(f"{order}wait/", views.wait_for_all, name="order_wait"),
    path(f"{order}more-time/", views.more_time, name="order_more_time"),
    path(f"{order}answers/", answer_views.order_answers, name="order_answers"),
    path(f"{order}change/<uuid:ticket>/", change_views.change, name="order_change"),
    path(f"{order}moved/", move_views.moved, name="order_moved"),
    path(f"{order}calendar.ics", ticket_views.order_ics, name="order_ics"),
    path("tickets/worker.js", ticket_views.worker, name="ticket_worker"),
    path("tickets/<uuid:ticket>/<secret:secret>/", ticket_views.ticket, name="ticket"),
    path("tickets/<uuid:ticket>/<secret:token>/answers/", answer_views.ticket_answers, name="ticket_answers"),
    path("tickets/<uuid:ticket>/<secret:secret>/calendar.ics", ticket_views.ticket_ics, name="ticket_ics"),
    path("tickets/<uuid:ticket>/<secret:secret>/give/", gift_views.give, name="ticket_give"),
    path("gifts/<uuid:gift>/<secret:secret>/", gift_views.gift, name="gift"),
    path(f"{order}tickets.pdf", document_views.order_pdf, name="order_pdf"),
    path("tickets/<uuid:ticket>/<secret:secret>/ticket.pdf", document_views.ticket_pdf, name="ticket_pdf"),
    path("", include("apps.ticketing.payments.urls")),
]
