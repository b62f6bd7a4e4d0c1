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
from apps.discounts.models.memberships import MemberBody, Membership

__all__ = [
    "Allowance",
    "Code",
    "Discount",
    "DiscountUse",
    "ListedPerson",
    "MemberBody",
    "Membership",
    "Sponsor",
    "bearer_of",
]
