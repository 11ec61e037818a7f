"""Everything between us and the server.

::

    database.py      connections: one engine, or the caller's own transaction
    direct.py        the same without SQLAlchemy, for pgvec add and search
    async_bridge.py  psycopg's async objects with the methods of its sync ones
    sqlfiles.py      the one loader of sql/
    install.py       install, upgrade and remove the catalog
    locks.py         bounded waits for locks
    notices.py       what the database says while a verb waits
    rows.py          what a statement returns, with names
    copying.py       rows for binary COPY; pure
    vectors.py       pgvector's binary format; pure
    pg_cron.py       where pg_cron is
    embedded/        the embedded server
"""
