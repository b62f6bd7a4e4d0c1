"""Where allauth looks for providers of ours: LiU's ADFS, and any issuer of OpenID Connect."""

from apps.accounts.liu.provider import LiuProvider
from apps.accounts.oidc.provider import OidcProvider

provider_classes = [LiuProvider, OidcProvider]
