"""The root of a collection's documents: any writer records it, and nobody replaces it unseen."""

from __future__ import annotations

from tests.sql.helpers import one, refused, rows, world
from tests.tools import live_collection

ROOT = "SELECT document_root FROM pgvec.collection WHERE collection = 'docs'"


def test_a_root_is_recorded_once_and_moved_only_by_who_knows_it(tx):
    live_collection(tx, count=1)
    assert one(tx, ROOT) is None
    tx.execute("SELECT pgvec.set_document_root('docs', 'handbook')")
    before = world(tx)
    for expected in ("NULL", "'.'", "''"):
        told = refused(tx, "PV007", f"SELECT pgvec.set_document_root('docs', '.', {expected})")
        assert told.detail == {"collection": "docs", "document_root": "handbook"}
    for wrong in ("''", "NULL"):
        refused(tx, "PV007", f"SELECT pgvec.set_document_root('docs', {wrong}, 'handbook')")
    refused(tx, "PV001", "SELECT pgvec.set_document_root('nodocs', '.')")
    assert world(tx) == before
    tx.execute("SELECT pgvec.set_document_root('docs', '/srv/docs', 'handbook')")
    assert one(tx, ROOT) == "/srv/docs"
    events = rows(
        tx, "SELECT detail FROM pgvec.version_event WHERE verb = 'set_document_root' ORDER BY 1"
    )
    assert [detail["document_root"] for (detail,) in events] == ["handbook", "/srv/docs"]


def test_a_writer_records_the_root_and_a_reader_does_not(tx):
    live_collection(tx, count=1)
    for name in ("write", "read"):
        tx.execute(f"CREATE ROLE pgvec_{name}".encode())
        tx.execute(f"SELECT pgvec.grant_{name}('docs', 'pgvec_{name}')".encode())
    tx.execute("SET LOCAL ROLE pgvec_read")
    refused(tx, "42501", "SELECT pgvec.set_document_root('docs', '.')")
    tx.execute("SET LOCAL ROLE pgvec_write")
    tx.execute("SELECT pgvec.set_document_root('docs', '.')")
    assert one(tx, ROOT) == "."
    refused(tx, "42501", "UPDATE pgvec.collection SET document_root = '/' RETURNING 1")
    tx.execute("RESET ROLE")
