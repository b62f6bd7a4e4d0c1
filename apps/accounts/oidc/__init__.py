"""Signing in with any issuer of OpenID Connect: allauth's own provider, which asks the issuer less and believes less."""
