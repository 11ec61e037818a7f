"""What can go wrong, as one tree.

::

    PgvecError                      exit  SQLSTATE
    ├── UnknownName                    4
    │   ├── UnknownCollection          4  PV001
    │   ├── UnknownVersion             4  PV002
    │   └── UnknownObject              4  42704
    ├── InvalidInput                   2
    │   ├── InvalidName                2  PV003
    │   ├── InvalidArgument            2  PV007
    │   ├── InvalidVector              2  PV015
    │   ├── ConfigError                2
    │   └── UnreadableFile             2
    ├── Refused                        3
    │   ├── AlreadyExists              3  PV004
    │   ├── WrongState                 3  PV005
    │   ├── NotReady                   3  PV006
    │   ├── Busy                       3  PV009
    │   ├── Paused                     3  PV060
    │   ├── VersionNotWritable         3  PV023
    │   ├── ReadOnlyView               3  PV050
    │   ├── PoliciesChanged            3  PV051
    │   ├── LeaseLost                  3  PV031
    │   ├── NotArchived                3  PV040
    │   ├── ArchiveMismatch            3  PV041
    │   ├── FingerprintMissing         3  PV071
    │   ├── FingerprintTooLate         3  PV072
    │   ├── DependentObjects           3  2BP01
    │   └── GateRefused                3  PV080
    ├── GuardError                     6
    │   ├── QueryVersionMismatch       6  PV011
    │   ├── QueryVersionNotDeclared    6  PV012
    │   ├── VersionNotQueryable        6  PV013
    │   ├── EmbedderMismatch           6  PV014
    │   ├── EmbedderMissing            6
    │   ├── StaleVector                6  PV021
    │   ├── RelabelRefused             6  PV022
    │   ├── StaleSnapshot              6  40001
    │   └── FingerprintMismatch        6  PV070
    ├── EmbedderError                  7
    │   ├── EmbedderFailed             7
    │   ├── EmbedderUnavailable        7
    │   └── BadEmbedding               7
    └── ServerError                    5
        ├── DatabaseUnavailable        5
        ├── OutOfResources             5
        │   ├── DiskFull               5  53100
        │   ├── OutOfMemory            5  53200
        │   └── TooManyConnections     5  53300
        ├── ReadOnlyDatabase           5  25006
        ├── StatementCancelled         5  57014
        ├── RequirementMissing         5  PV010
        ├── CatalogNotInstalled        5
        ├── CatalogMismatch            5  PV008
        ├── NotPermitted               5  42501
        └── LockTimeout                5  55P03

Exit code 0 is success, 1 a bug in this program, 130 Ctrl-C.

Every error carries data: ``sqlstate``, ``detail`` (the JSON that the database sent, as a dict) and
``hint``. The class follows from the SQLSTATE, never from the message text.

::

    classes.py      the classes above
    translation.py  the class for an error of the database
"""

from __future__ import annotations

from pgvec_versions.errors.classes import (
    AlreadyExists,
    ArchiveMismatch,
    BadEmbedding,
    Busy,
    CatalogMismatch,
    CatalogNotInstalled,
    ConfigError,
    DatabaseUnavailable,
    DependentObjects,
    DiskFull,
    EmbedderError,
    EmbedderFailed,
    EmbedderMismatch,
    EmbedderMissing,
    EmbedderUnavailable,
    FingerprintMismatch,
    FingerprintMissing,
    FingerprintTooLate,
    GateRefused,
    GuardError,
    InvalidArgument,
    InvalidInput,
    InvalidName,
    InvalidVector,
    LeaseLost,
    LockTimeout,
    NotArchived,
    NotPermitted,
    NotReady,
    OutOfMemory,
    OutOfResources,
    Paused,
    PgvecError,
    PoliciesChanged,
    QueryVersionMismatch,
    QueryVersionNotDeclared,
    ReadOnlyDatabase,
    ReadOnlyView,
    Refused,
    RelabelRefused,
    RequirementMissing,
    ServerError,
    StaleSnapshot,
    StaleVector,
    StatementCancelled,
    TooManyConnections,
    UnknownCollection,
    UnknownName,
    UnknownObject,
    UnknownVersion,
    UnreadableFile,
    VersionNotQueryable,
    VersionNotWritable,
    WrongState,
)
from pgvec_versions.errors.translation import error_for, translated

__all__ = [
    "AlreadyExists",
    "ArchiveMismatch",
    "BadEmbedding",
    "Busy",
    "CatalogMismatch",
    "CatalogNotInstalled",
    "ConfigError",
    "DatabaseUnavailable",
    "DependentObjects",
    "DiskFull",
    "EmbedderError",
    "EmbedderFailed",
    "EmbedderMismatch",
    "EmbedderMissing",
    "EmbedderUnavailable",
    "FingerprintMismatch",
    "FingerprintMissing",
    "FingerprintTooLate",
    "GateRefused",
    "GuardError",
    "InvalidArgument",
    "InvalidInput",
    "InvalidName",
    "InvalidVector",
    "LeaseLost",
    "LockTimeout",
    "NotArchived",
    "NotPermitted",
    "NotReady",
    "OutOfMemory",
    "OutOfResources",
    "Paused",
    "PgvecError",
    "PoliciesChanged",
    "QueryVersionMismatch",
    "QueryVersionNotDeclared",
    "ReadOnlyDatabase",
    "ReadOnlyView",
    "Refused",
    "RelabelRefused",
    "RequirementMissing",
    "ServerError",
    "StaleSnapshot",
    "StaleVector",
    "StatementCancelled",
    "TooManyConnections",
    "UnknownCollection",
    "UnknownName",
    "UnknownObject",
    "UnknownVersion",
    "UnreadableFile",
    "VersionNotQueryable",
    "VersionNotWritable",
    "WrongState",
    "error_for",
    "translated",
]

# A traceback names the documented path of a class, not the file it is written in.
for _name in __all__:
    globals()[_name].__module__ = __name__
