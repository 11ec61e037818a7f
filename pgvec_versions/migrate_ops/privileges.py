"""The operations on privileges: grant and revoke, to read, to write, and to run a worker.

A grant is recorded, and applied again to every later version. A revoke deletes the record and takes
back what only this record gave. Each is the reverse of the other. Write a role's name as it is,
without quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pgvec_versions.migrate_ops.execute import PgvecOp, Target


@dataclass
class _PrivilegeOp(PgvecOp):
    """A privilege of a role on a collection. ``back`` makes the reverse operation."""

    collection: str
    grantee: str
    back: ClassVar[Callable[[str, str], PgvecOp]]

    def run(self, target: Target) -> None:
        """Calls the SQL function of the same name."""
        target.one(self.verb, self.arguments())

    def reverse(self) -> PgvecOp:
        """A revoke for a grant, a grant for a revoke."""
        return type(self).back(self.collection, self.grantee)


@dataclass
class RevokeReadOp(_PrivilegeOp):
    """Takes back what ``grant_read`` recorded and gave. Raises: UnknownCollection."""

    verb: ClassVar[str] = "revoke_read"


@dataclass
class RevokeWriteOp(_PrivilegeOp):
    """Takes back what ``grant_write`` recorded and gave. Raises: UnknownCollection."""

    verb: ClassVar[str] = "revoke_write"


@dataclass
class RevokeWorkerOp(_PrivilegeOp):
    """Takes back what ``grant_worker`` recorded and gave. Raises: UnknownCollection."""

    verb: ClassVar[str] = "revoke_worker"


@dataclass
class GrantReadOp(_PrivilegeOp):
    """Lets a role query the views and ``pgvec.nearest``, now and for every later version.

    Raises: UnknownCollection; a database error for an unknown role.
    """

    verb: ClassVar[str] = "grant_read"
    back: ClassVar[Callable[[str, str], PgvecOp]] = RevokeReadOp


@dataclass
class GrantWriteOp(_PrivilegeOp):
    """Lets a role change the rows of the chunk table.

    Raises: UnknownCollection; a database error for an unknown role.
    """

    verb: ClassVar[str] = "grant_write"
    back: ClassVar[Callable[[str, str], PgvecOp]] = RevokeWriteOp


@dataclass
class GrantWorkerOp(_PrivilegeOp):
    """Lets a role run a worker: it may change work items and leaves, but run no DDL.

    Raises: UnknownCollection; a database error for an unknown role.
    """

    verb: ClassVar[str] = "grant_worker"
    back: ClassVar[Callable[[str, str], PgvecOp]] = RevokeWorkerOp


RevokeReadOp.back = GrantReadOp
RevokeWriteOp.back = GrantWriteOp
RevokeWorkerOp.back = GrantWorkerOp
