"""Whom a verb waits for, by whom and until when: told at once, and not only when it gives up."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pgvec_versions.errors import NotPermitted
from pgvec_versions.postgres import sqlfiles
from pgvec_versions.postgres.database import autocommitted, transaction
from pgvec_versions.postgres.notices import OnWait, Wait
from pgvec_versions.postgres.rows import read_rows, read_value

if TYPE_CHECKING:
    from sqlalchemy import Engine


class ClaimWatch:
    """For a verb that waits for claimed work items of one version.

    Takes over the claims of workers that are gone; with ``alive_too`` those of living ones too.
    """

    def __init__(
        self,
        engine: Engine,
        collection: str,
        model_version: str,
        on_wait: OnWait,
        alive_too: bool = False,
    ) -> None:
        self.engine = engine
        self.alive_too = alive_too
        self._named = {"collection": collection, "model_version": model_version}
        self._on_wait = on_wait
        self._said: set[tuple[int | None, str]] = set()

    def take_over(self) -> int:
        """Frees the claims. Returns how many work items can be claimed again."""
        with transaction(self.engine) as raw:
            return read_value(
                raw,
                sqlfiles.query("take_over_work"),
                {**self._named, "alive_too": self.alive_too},
            )

    def look(self) -> None:
        """Takes over what it may, and says who holds the rest: each holder once."""
        # A worker's role may embed, but not take claims away from others.
        with suppress(NotPermitted):
            self.take_over()
        with autocommitted(self.engine) as raw:
            holders = read_rows(raw, sqlfiles.query("claim_holders"), self._named)
        for held in holders:
            who = f"process {held.pid}" if held.pid else "a worker"
            known = ", ".join(filter(None, (held.application, held.address, held.state)))
            key = (held.pid, known)
            if key in self._said:
                continue
            self._said.add(key)
            line = (
                f"{held.items} work items of {self._named['model_version']} are claimed by {who}"
                f"{f' ({known})' if known else ''} until {held.expires:%H:%M:%S}, "
                f"{held.seconds:.0f} s from now."
            )
            self._on_wait(Wait(line, claims=True))
