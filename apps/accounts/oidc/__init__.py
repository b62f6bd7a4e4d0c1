"""Signing in with any issuer of OpenID Connect: allauth's provider, which asks the issuer less and believes less."""
