"""What is stored about who may buy, and about lower prices. Import models from here."""

from apps.discounts.models.memberships import MemberBody, Membership
from apps.discounts.models.presale import Audience, PresaleBatch, PresaleLink, PresaleStock

__all__ = ["Audience", "MemberBody", "Membership", "PresaleBatch", "PresaleLink", "PresaleStock"]
