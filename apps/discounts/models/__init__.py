"""What is stored about lower prices. Import models from here."""

from apps.discounts.models.memberships import MemberBody, Membership

__all__ = ["MemberBody", "Membership"]
