"""What is stored about who may buy, and about lower prices. Import models from here."""

from apps.discounts.models.discounts import (
    Allowance,
    Code,
    Discount,
    DiscountBody,
    DiscountTicketType,
    DiscountUse,
    ListedPerson,
    PastTerms,
    Sponsor,
    bearer_of,
)
from apps.discounts.models.memberships import ListedMember, MemberBody, MemberList, MemberListDraft, Membership
from apps.discounts.models.presale import Audience, PresaleBatch, PresaleLink, PresaleStock

__all__ = [
    "Allowance",
    "Audience",
    "Code",
    "Discount",
    "DiscountBody",
    "DiscountTicketType",
    "DiscountUse",
    "ListedMember",
    "ListedPerson",
    "MemberBody",
    "MemberList",
    "MemberListDraft",
    "Membership",
    "PastTerms",
    "PresaleBatch",
    "PresaleLink",
    "PresaleStock",
    "Sponsor",
    "bearer_of",
]
