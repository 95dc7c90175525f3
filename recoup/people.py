"""Who may do what: named people, one role each, and what a role allows."""

from enum import StrEnum

from recoup.errors import Forbidden
from recoup.record import Record


class Role(StrEnum):
    """A person's role."""

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a request needs."""

    READ = "read"
    APPROVE = "approve"
    OPERATE = "operate"
    ADMINISTER = "administer"


# Answering approvals and running the machine are different duties; only an administrator has both.
GRANTS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.APPROVER: frozenset({Permission.READ, Permission.APPROVE}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset(Permission),
}


class Person(Record):
    """Somebody with an API key, or the operating system's user at the command line."""

    name: str
    role: Role

    def must_have(self, permission: Permission) -> None:
        """Raises Forbidden where the role does not grant it."""
        if permission not in GRANTS[self.role]:
            needed = ", ".join(role for role, granted in GRANTS.items() if permission in granted)
            raise Forbidden(f"{self.name} has the role {self.role}; this needs one of: {needed}")
