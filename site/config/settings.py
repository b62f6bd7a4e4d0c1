"""The one settings file. Everything that differs between machines is read from the environment.

`FOYER_ENV` is `production` (the default, strict), `demo` or `test`. What `manage.py` cannot do without it names in one
sentence; `manage.py doctor` looks at everything else. Beside the demo: `make manage ARGS=doctor`.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config import logins, stripe_addresses
from config.plugins import plugin_apps, theme_folders, themes

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parents[2]

FOYER_ENV = env("FOYER_ENV", default="production")
IS_PRODUCTION = FOYER_ENV == "production"
IS_TEST = FOYER_ENV == "test"
DEBUG = env.bool("DEBUG", default=False)

VAR = Path(env("FOYER_VAR", default=str(BASE_DIR / "var" / FOYER_ENV)))

# --- Secrets -----------------------------------------------------------------------------------------------------
SECRET_KEY = env("SECRET_KEY")
FOYER_KEYS = (
    env("FOYER_KEYS", default="")
    or "k0:" + base64.urlsafe_b64encode(hashlib.sha256(b"fields:" + SECRET_KEY.encode()).digest()).decode()
)
FOYER_INDEX_KEY = env("FOYER_INDEX_KEY", default="") or hashlib.sha256(b"index:" + SECRET_KEY.encode()).hexdigest()
LIVE_SECRET = env("LIVE_SECRET", default="") or hashlib.sha256(b"live:" + SECRET_KEY.encode()).hexdigest()
SANDBOX_SECRET = env("SANDBOX_SECRET", default="")

# --- Addresses ---------------------------------------------------------------------------------------------------
SITE_URL = env("SITE_URL", default="http://localhost:8000").rstrip("/")
LIVE_URL = env("LIVE_URL", default="").rstrip("/")  # empty: same origin, behind an ingress
WEB_THREADS = env.int("WEB_THREADS", default=8)  # that work on requests in one process of the site: config.lanes
INTERNAL_URL = env("INTERNAL_URL", default=SITE_URL).rstrip("/")  # where workers reach the site: the sandbox bank does
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"] if not IS_PRODUCTION else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[SITE_URL])
USES_HTTPS = urlsplit(SITE_URL).scheme == "https"

# --- Apps --------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "config",
    "apps.accounts",
    "apps.events",
    "apps.ticketing",
    "apps.resale",  # before discounts: what a seller gave up of a price comes first of all rules
    "apps.discounts",
    "apps.checkin",
    *plugin_apps(),
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.contrib.settings",
    "wagtail.contrib.simple_translation",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.locales",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.facebook",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "django_rq",
    "django_htmx",
    "csp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.sitemaps",
]

MIDDLEWARE = [
    "config.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "apps.accounts.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.NoNulMiddleware",
    "apps.events.wall.AdministrationWall",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.crossing.CrossingMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

THEMES = themes()  # by slug; those that cannot be worn are left out, and a system check says why
TEMPLATES = [
    {
        "NAME": "django",
        "BACKEND": "config.theming.ThemedTemplates",
        "DIRS": [BASE_DIR / "site" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["apps.events.templatetags.icons"],
            "libraries": {"i18n": "config.words", "once": "config.once", "static": "config.fixed_statics"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context_processors.house",
            ],
        },
    }
]

# --- Data --------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "config.database"  # Django's, which asks less
DATABASES["default"]["CONN_MAX_AGE"] = 0 if IS_TEST else 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = not IS_TEST
DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
    # A statement that is prepared is planned once, and not for its first five values besides (accounts.prepared).
    "options",
    "-c lock_timeout=3000 -c plan_cache_mode=force_generic_plan",
)
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
DATABASES["default"]["ATOMIC_REQUESTS"] = False
# Behind a pooler that shares connections between transactions nothing may be kept on one (accounts.prepared).
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = env.bool("DATABASE_IS_POOLED", default=False)
if IS_TEST:
    DATABASES["default"]["TEST"] = {
        "NAME": env("FOYER_TEST_DB", default="") or None,
        "TEMPLATE": env("FOYER_TEST_TEMPLATE", default="") or None,
    }

REDIS_URL = env("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "config.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"foyer:{FOYER_ENV}",
        "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
    }
}
# Jobs are JSON: what lies in Redis is data, never code. A Redis that hangs must not hang the page that rings it.
_RQ_URL = REDIS_URL + ("&" if "?" in REDIS_URL else "?") + "socket_connect_timeout=0.5&socket_timeout=2"
RQ_QUEUES = {
    name: {"URL": _RQ_URL, "DEFAULT_TIMEOUT": seconds, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name, seconds in {"purchases": 60, "default": 120, "documents": 300}.items()
}
RQ = {"JOB_CLASS": "rq.job.Job", "COMMIT_MODE": "auto"}

SESSION_ENGINE = "config.sessions"  # PostgreSQL: a dead Redis must not sign anybody out
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USES_HTTPS
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "config.errors.csrf_failed"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"  # no session for visitors

# --- Files -------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = env("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "site" / "static", *theme_folders()]
STATICFILES_FINDERS = [
    "config.statics.LeanFinder",
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
MEDIA_URL = "/media/"
MEDIA_ROOT = str(VAR / "media")
PRIVATE_ROOT = str(VAR / "private")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Receipts, exports: no address of their own; a view checks the right to read each.
    "private": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": PRIVATE_ROOT, "base_url": None, "file_permissions_mode": 0o600},
    },
    # PDF tickets, each under a name that stands for all it shows: may be emptied at any time, they are made again.
    "documents": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": str(VAR / "documents"),
            "base_url": None,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IS_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_AUTOREFRESH = IS_TEST  # finds a file when it is asked for; every test client would list them all

# --- People ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# PBKDF2, Django's own choice, takes a core for a third of a second: two hundred at once would stand for a minute.
PASSWORD_HASHERS = ["apps.accounts.passwords.Argon2", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
if IS_TEST:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/my/"
ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True  # typed on the page one is on, which keeps where one came from
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_CHANGE = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
SOCIALACCOUNT_PROVIDERS = logins.providers(env, SITE_URL, is_production=IS_PRODUCTION)
SOCIALACCOUNT_ADAPTER = "apps.accounts.social.SocialAdapter"
ACCOUNT_FORMS = {
    "signup": "apps.accounts.forms.SignupForm",
    "reset_password": "apps.accounts.forms.ResetPasswordForm",
    "request_login_code": "apps.accounts.forms.RequestLoginCodeForm",
}
SOCIALACCOUNT_FORMS = {"disconnect": "apps.accounts.forms.DisconnectForm"}
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True  # whom apps.accounts.social lets in by a proved address
SOCIALACCOUNT_STORE_TOKENS = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not USES_HTTPS  # http://localhost: browsers allow passkeys there
MFA_ADAPTER = "apps.accounts.second_step.SecondStepAdapter"
MFA_FORMS = {
    "authenticate": "apps.accounts.second_step.SignInForm",
    "reauthenticate": "apps.accounts.second_step.StillYouForm",
    "add_webauthn": "apps.accounts.second_step.AddPasskeyForm",
    "edit_webauthn": "apps.accounts.second_step.RenamePasskeyForm",
}
MFA_TOTP_ISSUER = "Foyer"
MFA_TOTP_TOLERANCE = 1  # as second_step.STEPS_AROUND
# A campus is one address: what is counted per address is high, what is counted per account or e-mail stays low.
ACCOUNT_RATE_LIMITS = {
    "login": "1200/m/ip",
    "login_failed": "600/m/ip,5/5m/key",
    "signup": "300/m/ip",
    "reset_password": "300/m/ip,5/m/key",
    "reset_password_from_key": "300/m/ip",
    "request_login_code": "300/m/ip,3/m/key",
}
MFA_RATE_LIMITS = {"webauthn_login": "1200/m/ip"}
# How many proxies of ours stand before the site; 0 with one in front would put all visitors into one bucket.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int(
    "TRUSTED_PROXY_COUNT", default=1 if env.bool("BEHIND_PROXY", default=False) else 0
)

# --- Wagtail -----------------------------------------------------------------------------------------------------
EVENTS_BEGIN_AT = "event_wizard:begin"  # what stands behind “New event” on the list of events
WAGTAIL_SITE_NAME = "Foyer"
WAGTAILADMIN_BASE_URL = SITE_URL
WAGTAIL_FRONTEND_LOGIN_URL = "/accounts/login/"
WAGTAILADMIN_LOGIN_URL = "account_login"
WAGTAIL_PASSWORD_MANAGEMENT_ENABLED = False
WAGTAIL_PASSWORD_RESET_ENABLED = False
WAGTAIL_EMAIL_MANAGEMENT_ENABLED = False
WAGTAIL_I18N_ENABLED = True
WAGTAILADMIN_RICH_TEXT_EDITORS = {"default": {"WIDGET": "apps.events.rich_text.RichTextArea"}}
WAGTAIL_CONTENT_LANGUAGES = [("sv", _("Swedish")), ("en", _("English"))]
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}
WAGTAILDOCS_SERVE_METHOD = "serve_view"
WAGTAILDOCS_EXTENSIONS = ["pdf", "csv", "docx", "odt", "ods", "xlsx", "txt"]
WAGTAILIMAGES_EXTENSIONS = ["avif", "jpg", "jpeg", "png", "webp"]
WAGTAILIMAGES_IMAGE_FORM_BASE = "apps.events.uploads.PictureForm"
WAGTAILIMAGES_MAX_UPLOAD_SIZE = 15 * 1024 * 1024
WAGTAILIMAGES_MAX_IMAGE_PIXELS = 60_000_000  # no format takes more: apps.events.uploads
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_ENABLE_WHATS_NEW_BANNER = False
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_WORKFLOW_ENABLED = True

# --- Words and times ---------------------------------------------------------------------------------------------
LANGUAGE_CODE = "sv"
LANGUAGES = [("sv", _("Swedish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "site" / "locale"]
LANGUAGE_COOKIE_NAME = "language"
USE_I18N = USE_TZ = True
TIME_ZONE = "Europe/Stockholm"

# --- Mail --------------------------------------------------------------------------------------------------------
vars().update(env.email("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds, for each answer of the mail server
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Foyer <tickets@localhost>")
# Resend instead of EMAIL_URL; and the secret with which it signs its notices to /webhooks/mail/resend/.
RESEND_WEBHOOK_SECRET = env("RESEND_WEBHOOK_SECRET", default="")
if env("RESEND_API_KEY", default=""):
    INSTALLED_APPS.append("anymail")
    EMAIL_BACKEND = "apps.ticketing.mails.resend.EmailBackend"
    ANYMAIL = {
        "RESEND_API_KEY": env("RESEND_API_KEY"),
        "RESEND_API_URL": env("RESEND_API_URL", default="https://api.resend.com/"),
        "REQUESTS_TIMEOUT": EMAIL_TIMEOUT,
    }

# --- Safety ------------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
SECURE_HSTS_SECONDS = 31_536_000 if USES_HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# The public policy; `config.policies` widens it per area (checkout, door, administration, previews).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, *([LIVE_URL] if LIVE_URL else [])],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- Selling -----------------------------------------------------------------------------------------------------
HOLD_MINUTES = 15
OFFER_MINUTES = 5
# How many payments a second a provider lets one organisation open, where that differs from what it says itself:
# "sandbox=5,stripe=20"; 0 for no limit, 0.1 for one in ten seconds.
PAYMENT_STARTS_PER_SECOND = {
    slug: float(rate) for slug, rate in env.dict("PAYMENT_STARTS_PER_SECOND", default={}).items()
}
STRIPE_SECRET_KEY = env("STRIPE_SECRET_KEY", default="")
STRIPE_PUBLISHABLE_KEY = env("STRIPE_PUBLISHABLE_KEY", default="")
STRIPE_WEBHOOK_SECRETS = env.list("STRIPE_WEBHOOK_SECRETS", default=[])  # several while one is being replaced
# With Connect each organisation sells by an account of its own at Stripe, and only then by Stripe at all; the house may
# keep a share of each payment, in per cent. Without, the account of the key above sells for all.
STRIPE_CONNECT = env.bool("STRIPE_CONNECT", default=False)
STRIPE_PLATFORM_FEE_PERCENT = Decimal(env("STRIPE_PLATFORM_FEE_PERCENT", default="0"))
# Where Stripe is: other addresses are for tests against a stand-in, and production refuses them.
STRIPE_API_BASE = env("STRIPE_API_BASE", default=stripe_addresses.API).rstrip("/")
STRIPE_JS_URL = env("STRIPE_JS_URL", default=stripe_addresses.SCRIPT)
STRIPE_ADDRESSES_CHANGED = stripe_addresses.changed(STRIPE_API_BASE, STRIPE_JS_URL)
PAYMENT_PROVIDERS_ENABLED = env.list(
    "PAYMENT_PROVIDERS",
    default=([] if IS_PRODUCTION else ["sandbox"]) + (["stripe"] if STRIPE_SECRET_KEY else []),
)

# --- Memberships ------------------------------------------------------------------------------------------------
# Registers that know who is a member of which student union; without an address and a key they are not asked.
KOBRA_URL = env("KOBRA_URL", default="")
KOBRA_TOKEN = env("KOBRA_TOKEN", default="")
SESAM_URL = env("SESAM_URL", default="")
SESAM_USERNAME = env("SESAM_USERNAME", default="")
SESAM_PASSWORD = env("SESAM_PASSWORD", default="")
SESAM_WSDL = env("SESAM_WSDL", default="")  # a description of the service in place of ours: a file or an address

# --- Logs --------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "visitors_fault": {"()": "config.logs.VisitorsFaultFilter"},
        "safe": {"()": "config.logs.SafeFilter"},
    },
    "formatters": {
        "json": {"()": "config.logs.JsonFormatter"},
        "plain": {"format": "%(levelname)s %(name)s %(message)s"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "filters": ["visitors_fault", "safe"],
            "formatter": "plain" if IS_TEST else "json",
        }
    },
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", default="WARNING" if IS_TEST else "INFO")},
    "loggers": {"django.server": {"handlers": ["stderr"], "propagate": False}},
}
SILENCED_SYSTEM_CHECKS = ["templates.W003"]  # ours stand before Django's i18n and static
