"""Every address of the site. Apps bring their own urls; of those with a language Wagtail's pages come last and catch
the rest.

Pages carry their language in the address (`/sv/`, `/en/`), so that a cached page is never in the wrong one; an address
without it is led to the visitor's language.
"""

from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path
from django.views.generic import RedirectView
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

from apps.accounts.views import set_language
from apps.events import views
from apps.events.page_cache import kept
from apps.ticketing import webhooks
from apps.ticketing.mails import notices
from config import health, media

# What buyers ask for comes first: an address is tried against one pattern after the other.
urlpatterns = i18n_patterns(
    path("", include("apps.ticketing.urls")),
    path("", include("apps.resale.urls")),
    path("", include("apps.events.legal_urls")),
    path("", include("apps.events.page_urls")),
)

urlpatterns += [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("robots.txt", kept(views.robots), name="robots"),
    path("sitemap.xml", kept(views.sitemap), name="sitemap"),
    path("webhooks/<slug:provider>/", webhooks.receive, name="webhook"),
    path("webhooks/mail/resend/", notices.receive, name="mail_webhook"),
    path("admin/login/", RedirectView.as_view(pattern_name="account_login", query_string=True)),  # ours, not Wagtail's
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("accounts/", include("allauth.urls")),
    path("i18n/setlang/", set_language, name="set_language"),
    path("", include("apps.accounts.urls")),
    path("", include("apps.checkin.urls")),
    path("", include("apps.discounts.urls")),
    path("", include("apps.events.urls")),
]

if not settings.IS_PRODUCTION:
    urlpatterns += [
        path(f"media/{folder}/<path:path>", media.picture, {"folder": folder}, name=f"media_{folder}")
        for folder in media.FOLDERS
    ]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.our_fault"
