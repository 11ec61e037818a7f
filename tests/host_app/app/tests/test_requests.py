"""The application answers, through an upgrade of its embedding model and back."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from host.embedders import embedders
from host.main import app
from host.settings import database_url
from pgvec_versions import Transition, Worker, roll_back
from pgvec_versions.errors import QueryVersionNotDeclared, error_for

HANDBOOK = {
    "id": 1,
    "title": "Handbook",
    "paragraphs": ["Holidays are requested in the portal.", "The canteen opens at noon."],
}
SECRET = {"id": 2, "title": "Secret", "paragraphs": ["Holidays of the board."], "tenant": "board"}


def test_a_day_with_an_upgrade(migrated: Config) -> None:
    asyncio.run(day())


async def day() -> None:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client,
    ):
        for document in (HANDBOOK, SECRET):
            assert (await client.post("/documents", json=document)).status_code == 201
        again = (await client.post("/documents", json=HANDBOOK)).json()
        assert again == {"added": 0, "unchanged": 2, "embedded": 0}
        await answers(client, "static-1")

        url, both = database_url(), embedders()
        upgrade = Transition(url, "docs", "static-2", both["static-2"])
        await asyncio.to_thread(upgrade.run)
        await answers(client, "static-1")
        await asyncio.to_thread(upgrade.cut_over)
        await answers(client, "static-2")
        late = {"id": 3, "title": "Late", "paragraphs": ["Parking is behind the house."]}
        await client.post("/documents", json=late)
        await asyncio.to_thread(Worker(url, "docs", both).drain)
        await asyncio.to_thread(roll_back, url, "docs", both)
        await answers(client, "static-1")
        assert await first(client, "where can I park the car?") == ("Late", "static-1")

        with pytest.raises(DBAPIError) as caught:
            await client.get("/forgot")
        assert isinstance(error_for(caught.value), QueryVersionNotDeclared)


async def answers(client: httpx.AsyncClient, label: str) -> None:
    assert await first(client, "how do I request holidays?") == ("Handbook", label)
    assert await first(client, "holidays", tenant="board") == ("Secret", label)
    many = await asyncio.gather(*(first(client, "canteen at noon") for _ in range(20)))
    assert set(many) == {("Handbook", label)}


async def first(client: httpx.AsyncClient, question: str, **more: Any) -> tuple[str, str]:
    found = (await client.get("/search", params={"q": question, **more})).json()
    return found[0]["title"], found[0]["model_version"]
