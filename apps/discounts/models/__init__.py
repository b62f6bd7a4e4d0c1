"""What is stored about lower prices. Import models from here."""

from apps.discounts.models.discounts import (
    Allowance,
    Code,
    Discount,
    DiscountUse,
    ListedPerson,
    Sponsor,
    bearer_of,
)
from apps.discounts.models.memberships import ListedMember, MemberBody, MemberList, MemberListDraft, Membership

__all__ = [
    "Allowance",
    "Code",
    "Discount",
    "DiscountUse",
    "ListedMember",
    "ListedPerson",
    "MemberBody",
    "MemberList",
    "MemberListDraft",
    "Membership",
    "Sponsor",
    "bearer_of",
]
