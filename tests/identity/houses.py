"""What each of them answers: `answer(house, request)` for ADFS, OpenID Connect, Google, GitHub and Facebook."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.identity.people import People, Person
from tests.identity.signing import SigningKey

LIU_ISSUER = "http://fs.liu.se/adfs/services/trust"
LIN_CLAIM = "http://liu.se/claims/norEduPersonLIN"
TOKEN_SECONDS = 3600

PAGE = """<!doctype html><html lang="sv"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 1.0625rem/1.5 system-ui, sans-serif;
max-width: 26rem; margin: 3rem auto; padding: 0 1rem; color: #1f1330 }}
button {{ display: block; width: 100%; margin: .5rem 0; padding: .9rem 1rem; font: inherit; text-align: start;
border: 1.5px solid #82768f; border-radius: 10px; background: #fff; cursor: pointer }}
small {{ display: block; color: #5b5070 }}
</style></head><body><main><h1>{title}</h1><p>En låtsad inloggning: inget lösenord behövs. Vem är du?</p>
<form method="post">{people}<button name="cancel" value="1">Avbryt</button></form></main></body></html>"""


@dataclass
class Asked:
    """One request: its path below the house, and what was sent in the query and the form."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Told:
    """One answer."""

    status: int = 200
    body: str | dict[str, Any] | list[Any] | None = None
    location: str = ""
    kind: str = ""


@dataclass
class Grant:
    """What a code was given for."""

    person: Person
    asked: dict[str, str]


class Trouble:
    """What goes wrong on command: `times` times, or until told otherwise (None)."""

    def __init__(self) -> None:
        self._left: dict[str, int | None] = {}
        self.seconds = 30.0
        self._lock = threading.Lock()

    def order(self, kind: str, times: int | None = None) -> None:
        self._left[kind] = times

    def clear(self) -> None:
        self._left.clear()

    def is_due(self, kind: str) -> bool:
        with self._lock:
            if kind not in self._left:
                return False
            left = self._left[kind]
            if left is not None:
                self._left[kind] = left - 1
                if left <= 1:
                    del self._left[kind]
            return True


@dataclass
class Houses:
    """All of them over one set of people and keys."""

    url: str = ""
    people: People = field(default_factory=People)
    trouble: Trouble = field(default_factory=Trouble)
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey(1)])
    grants: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    key_questions: int = 0
    stray: SigningKey | None = None

    # --- Keys --------------------------------------------------------------------------------------------------------

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is published no more."""
        self.keys = [SigningKey(len(self.keys) + int(time.time()))]

    def _sign(self, claims: dict[str, Any]) -> str:
        if self.trouble.is_due("unknown_key"):
            self.stray = self.stray or SigningKey(666)
            return self.stray.sign(claims)
        if self.trouble.is_due("bad_signature"):
            head, body, _signature = self.keys[0].sign(claims).split(".")
            return f"{head}.{body}.{self.keys[0].sign({**claims, 'sub': 'x'}).split('.')[2]}"
        return self.keys[0].sign(claims)

    # --- The door of each --------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Told:
        top, _slash, rest = asked.path.strip("/").partition("/")
        if top == "FederationMetadata":
            return self._metadata()
        if top == "adfs":
            return self._adfs(asked, rest)
        if top in ("oidc", "google", "github", "facebook"):
            return getattr(self, f"_{top}")(asked, rest)
        return Told(404, "There is nothing here.")

    def _authorize(self, asked: Asked, title: str, *, at_liu: bool) -> Told:
        """A page with people to choose from; choosing sends one back with a code."""
        back, state = asked.query.get("redirect_uri", ""), asked.query.get("state", "")
        if not back or not asked.query.get("client_id"):
            return Told(400, "client_id or redirect_uri is missing")
        if asked.method != "POST":
            rows = "".join(
                f"<button name='person' value='{html.escape(person.slug, quote=True)}'>{html.escape(person.name)}"
                f"<small>{html.escape(person.liu_id or person.email)}</small></button>"
                for person in self.people.listed(at_liu=at_liu)
            )
            return Told(200, PAGE.format(title=title, people=rows), kind="text/html; charset=utf-8")
        joint = "&" if "?" in back else "?"
        person = self.people.get(asked.form.get("person", ""))
        if asked.form.get("cancel") or person is None:
            return Told(302, location=f"{back}{joint}{urlencode({'error': 'access_denied', 'state': state})}")
        code = secrets.token_urlsafe(24)
        self.grants[code] = Grant(person, asked.query)
        return Told(302, location=f"{back}{joint}{urlencode({'code': code, 'state': state})}")

    def _redeem(self, form: dict[str, str]) -> Grant | None:
        """What a code stands for, once, and only where it was asked for."""
        grant = self.grants.pop(form.get("code", ""), None)
        if grant is None or form.get("redirect_uri") != grant.asked["redirect_uri"]:
            return None
        if challenge := grant.asked.get("code_challenge"):
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
                return None
        return grant

    def _spoilt(self) -> Told | None:
        """An answer of the token's address that fails on command."""
        if self.trouble.is_due("hang"):
            time.sleep(self.trouble.seconds)
        if self.trouble.is_due("server_error"):
            return Told(500, "<h1>Server Error</h1>", kind="text/html")
        if self.trouble.is_due("not_json"):
            return Told(200, "<html>maintenance</html>", kind="text/html")
        if self.trouble.is_due("wrong_shape"):
            return Told(200, {"access_token": ["no", "text"], "token_type": "bearer", "expires_in": "soon"})
        return None

    def _times(self) -> dict[str, int]:
        now = int(time.time())
        if self.trouble.is_due("expired"):
            now -= 2 * TOKEN_SECONDS
        if self.trouble.is_due("from_tomorrow"):
            now += 24 * 3600
        return {"iat": now, "nbf": now, "exp": now + TOKEN_SECONDS}

    # --- LiU's ADFS --------------------------------------------------------------------------------------------------

    def _adfs(self, asked: Asked, rest: str) -> Told:
        if rest == "oauth2/authorize":
            return self._authorize(asked, "LiU-inloggning (låtsas)", at_liu=True)
        if rest == "oauth2/token":
            if (spoilt := self._spoilt()) is not None:
                return spoilt
            if (grant := self._redeem(asked.form)) is None:
                return Told(400, {"error": "invalid_grant", "error_description": "MSIS9612"})
            token = self._sign(self._adfs_claims(grant))
            return Told(200, {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS})
        if rest == "discovery/keys":
            self.key_questions += 1
            if self.trouble.is_due("no_keys"):
                return Told(503, "")
            if self.trouble.is_due("old_adfs"):
                return Told(404, "")
            return Told(200, {"keys": [key.entry for key in self.keys]})
        return Told(404, "")

    def _adfs_claims(self, grant: Grant) -> dict[str, Any]:
        person = grant.person
        given, _space, family = person.name.partition(" ")
        audience, issuer = grant.asked.get("resource", ""), LIU_ISSUER
        if self.trouble.is_due("wrong_audience"):
            audience = "https://somebody.else.example/"
        if self.trouble.is_due("wrong_issuer"):
            issuer = "http://fs.evil.example/adfs/services/trust"
        claims = {
            "aud": audience,
            "iss": issuer,
            **self._times(),
            "sub": f"{person.liu_id}@liu.se",
            "ppid": base64.b64encode(hashlib.sha256(person.slug.encode()).digest()[:16]).decode(),
            "unique_name": person.name,
            "given_name": given,
            "family_name": family,
            "email": person.email,
            LIN_CLAIM: person.lin,
            "appid": grant.asked["client_id"],
            "apptype": "Confidential",
            "ver": "1.0",
            **{f"http://liu.se/claims/{name}": value for name, value in person.claims.items()},
        }
        for name, missing in (("no_lin", LIN_CLAIM), ("no_email", "email")):
            if self.trouble.is_due(name):
                del claims[missing]
        return claims

    def _metadata(self) -> Told:
        self.key_questions += 1
        certificates = "".join(
            '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
            f"<X509Certificate>{key.certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
            for key in self.keys
        )
        return Told(
            200,
            '<?xml version="1.0"?><EntityDescriptor entityID="http://fs.liu.se/adfs/services/trust"'
            ' xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><IDPSSODescriptor'
            ' protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            f"{certificates}</IDPSSODescriptor></EntityDescriptor>",
            kind="application/samlmetadata+xml",
        )

    # --- OpenID Connect, and Google, which is of its kind ------------------------------------------------------------

    def _oidc(self, asked: Asked, rest: str) -> Told:
        issuer = f"{self.url}/oidc"
        if self.trouble.is_due("long_way"):
            return Told(302, "x" * 2_000, location=f"{issuer}/.well-known/openid-configuration")
        if rest == ".well-known/openid-configuration":
            return Told(
                200,
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "userinfo_endpoint": f"{issuer}/userinfo",
                    "jwks_uri": f"{issuer}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                    "code_challenge_methods_supported": ["S256"],
                },
            )
        if rest == "authorize":
            return self._authorize(asked, "Google (låtsas)", at_liu=False)
        if rest == "keys":
            return Told(200, {"keys": [key.entry for key in self.keys]})
        if rest == "token":
            return self._token(asked, issuer)
        if rest == "userinfo":
            grant = self._bearer(asked)
            return Told(200, self._userinfo(grant.person)) if grant else Told(401, {"error": "invalid_token"})
        return Told(404, "")

    def _token(self, asked: Asked, issuer: str) -> Told:
        if (spoilt := self._spoilt()) is not None:
            return spoilt
        if (grant := self._redeem(asked.form)) is None:
            return Told(400, {"error": "invalid_grant"})
        audience = "somebody-else" if self.trouble.is_due("wrong_audience") else grant.asked["client_id"]
        claims = {"iss": issuer, "aud": audience, **self._times(), **self._userinfo(grant.person)}
        access = secrets.token_urlsafe(24)
        self.tokens[access] = grant
        answer = {"access_token": access, "id_token": self._sign(claims), "token_type": "Bearer"}
        return Told(200, {**answer, "expires_in": TOKEN_SECONDS})

    def _userinfo(self, person: Person) -> dict[str, Any]:
        given, _space, family = person.name.partition(" ")
        told = {"sub": person.sub, "name": person.name, "given_name": given, "family_name": family}
        if person.email:
            told |= {"email": person.email, "email_verified": person.email_verified}
        return {**told, **person.claims}

    def _bearer(self, asked: Asked) -> Grant | None:
        word, _space, token = asked.headers.get("authorization", "").partition(" ")
        return self.tokens.get(token) if word.lower() in ("bearer", "token") else None

    def _google(self, asked: Asked, rest: str) -> Told:
        if rest == "authorize":
            return self._authorize(asked, "Google (låtsas)", at_liu=False)
        return self._token(asked, "https://accounts.google.com") if rest == "token" else Told(404, "")

    # --- GitHub and Facebook: OAuth2 and an API of their own ---------------------------------------------------------

    def _plain_token(self, sent: dict[str, str]) -> Told:
        if (spoilt := self._spoilt()) is not None:
            return spoilt
        if (grant := self._redeem(sent)) is None:
            return Told(200, {"error": "bad_verification_code"})
        access = secrets.token_urlsafe(24)
        self.tokens[access] = grant
        return Told(200, {"access_token": access, "token_type": "bearer", "expires_in": TOKEN_SECONDS})

    def _github(self, asked: Asked, rest: str) -> Told:
        if rest == "login/oauth/authorize":
            return self._authorize(asked, "GitHub (låtsas)", at_liu=False)
        if rest == "login/oauth/access_token":
            return self._plain_token(asked.form)
        if (grant := self._bearer(asked)) is None:
            return Told(401, {"message": "Bad credentials"})
        person = grant.person
        if rest == "api/v3/user":
            facts = {"id": person.number, "login": person.slug, "name": person.name, "email": None, "followers": 7}
            return Told(200, facts)
        if rest == "api/v3/user/emails":
            own = {"email": person.email, "primary": True, "verified": person.email_verified, "visibility": None}
            return Told(200, [own])
        return Told(404, {"message": "Not Found"})

    def _facebook(self, asked: Asked, rest: str) -> Told:
        if rest == "dialog/oauth":
            return self._authorize(asked, "Facebook (låtsas)", at_liu=False)
        if rest == "oauth/access_token":
            return self._plain_token(asked.query)
        grant = self.tokens.get(asked.query.get("access_token", ""))
        if grant is None:
            return Told(400, {"error": {"type": "OAuthException", "code": 190}})
        person = grant.person
        told = {"id": str(person.number), "name": person.name, "email": person.email}
        return Told(200, {name: value for name, value in told.items() if value})
