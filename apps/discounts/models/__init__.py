"""What is stored about lower prices. Import models from here."""

from apps.discounts.models.memberships import ListedMember, MemberBody, MemberList, MemberListDraft, Membership

__all__ = ["ListedMember", "MemberBody", "MemberList", "MemberListDraft", "Membership"]
