"""Which providers one can sign in with, read from the environment: allauth's SOCIALACCOUNT_PROVIDERS.

A provider without its keys is not in the table, and so has no button and no address. docs/logins.md says where the keys
come from. The order here is the order of the buttons.
"""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

LIU = "https://fs.liu.se"
LIU_ISSUER = "http://fs.liu.se/adfs/services/trust"  # a name, not an address: ADFS writes it so
# What a membership may hang on, where LiU's ADFS is set up to tell it.
LIU_CLAIMS = ("eduPersonPrimaryAffiliation", "eduPersonScopedAffiliation")
JOINS = "email_authentication"  # allauth's name: whether an address that the provider proved leads to its account

TAKEN = ("liu", "google", "facebook", "github", "openid_connect")

Table = dict[str, dict[str, Any]]


def providers(env: environ.Env, site_url: str, *, is_production: bool) -> Table:
    """What is set up, by allauth's provider id. Raises ImproperlyConfigured for a login that is named and not whole,
    and in production for one that is not reached by https: whoever stands between could be anybody."""
    table: Table = {"liu": _liu(env, site_url), "openid_connect": _oidc(env)}
    for provider in ("google", "facebook", "github"):
        prefix = provider.upper()
        if client_id := env(f"{prefix}_CLIENT_ID", default=""):
            # Facebook does not say which addresses it has proved.
            kept = {JOINS: provider != "facebook", "oauth_pkce_enabled": provider != "facebook"}
            secret = env(f"{prefix}_CLIENT_SECRET")
            table[provider] = {"APPS": [{"client_id": client_id, "secret": secret, "settings": kept}]}
    if "google" in table:
        table["google"]["SCOPE"] = ["email", "profile", "openid"]
    table = {provider: facts for provider, facts in table.items() if facts.get("APPS")}
    for app in (app for facts in table.values() for app in facts["APPS"]):
        address = app["settings"].get("url") or app["settings"].get("server_url")
        if is_production and address and not address.startswith("https://"):
            raise ImproperlyConfigured(f"A login leads to {address}. In production it must begin with https://.")
    return table


def _liu(env: environ.Env, site_url: str) -> dict[str, Any]:
    if not (client_id := env("LIU_CLIENT_ID", default="")):
        return {}
    facts = {
        "url": env("LIU_URL", default=LIU).rstrip("/"),
        "issuer": env("LIU_ISSUER", default=LIU_ISSUER),
        "resource": env("LIU_RESOURCE", default=site_url),
        "claims": env.list("LIU_CLAIMS", default=list(LIU_CLAIMS)),
        JOINS: True,
    }
    return {"APPS": [{"client_id": client_id, "secret": env("LIU_CLIENT_SECRET", default=""), "settings": facts}]}


def _oidc(env: environ.Env) -> dict[str, Any]:
    return {"APPS": [_oidc_login(env, slug) for slug in env.list("OIDC_LOGINS", default=[])]}


def _oidc_login(env: environ.Env, slug: str) -> dict[str, Any]:
    if slug in TAKEN or not slug.replace("-", "").replace("_", "").isalnum():
        raise ImproperlyConfigured(f"OIDC_LOGINS names {slug!r}: write a short word of your own, such as `university`.")
    prefix = f"OIDC_{slug.upper().replace('-', '_')}_"
    facts: dict[str, Any] = {
        "server_url": env(f"{prefix}ISSUER").rstrip("/"),
        "claims": env.list(f"{prefix}CLAIMS", default=[]),
        JOINS: True,
        "oauth_pkce_enabled": True,
    }
    if domains := env.list(f"{prefix}VOUCHES_FOR", default=[]):
        facts["verified_email"] = domains
    return {
        "provider_id": slug,
        "name": env(f"{prefix}NAME", default=slug),
        "client_id": env(f"{prefix}CLIENT_ID"),
        "secret": env(f"{prefix}CLIENT_SECRET", default=""),
        "settings": facts,
    }
