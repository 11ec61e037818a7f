"""Where the database is."""

from __future__ import annotations

import os

from sqlalchemy import URL, make_url


def database_url() -> URL:
    """The URL in HOST_DATABASE_URL, with the driver psycopg."""
    return make_url(os.environ["HOST_DATABASE_URL"]).set(drivername="postgresql+psycopg")
