"""Other languages: nearest through the protocol alone, as node-postgres and pgx send it."""

from __future__ import annotations

import struct

import psycopg
import pytest
from psycopg import pq

from tests.sql.helpers import one
from tests.tools import live_collection

CALL = b"SELECT content, model_version FROM pgvec.nearest($1, $2, $3, $4, $5)"
ONES = b"[1,1,1,1,1,1,1,1]"
PLAIN = [b"docs", ONES, b"v1", b"3", b'{"even": true}']


@pytest.fixture
def expected(db: psycopg.Connection) -> list[bytes]:
    live_collection(db, count=20)
    found = db.execute(
        "SELECT content FROM pgvec.nearest('docs', %s, 'v1', 3, '{\"even\": true}')",
        (ONES.decode(),),
    ).fetchall()
    assert len(found) == 3
    return [row[0].encode() for row in found]


def contents(result: pq.abc.PGresult) -> list[bytes | None]:
    assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message
    return [result.get_value(row, 0) for row in range(result.ntuples)]


def test_a_client_that_sends_untyped_text_is_answered(
    db: psycopg.Connection, expected: list[bytes]
) -> None:
    assert contents(db.pgconn.exec_params(CALL, PLAIN)) == expected


def test_a_client_that_prepares_and_asks_for_the_types_is_answered(
    db: psycopg.Connection, expected: list[bytes]
) -> None:
    db.pgconn.prepare(b"nearest", CALL)
    described = db.pgconn.describe_prepared(b"nearest")
    types = [described.param_type(place) for place in range(described.nparams)]
    names = [one(db, "SELECT %s::oid::regtype::text", oid) for oid in types]
    assert names == ["text", "vector", "text", "integer", "jsonb"]
    for _ in range(7):  # Past the point where the server may go over to a generic plan.
        assert contents(db.pgconn.exec_prepared(b"nearest", PLAIN)) == expected


def test_a_client_that_sends_everything_binary_is_answered(
    db: psycopg.Connection, expected: list[bytes]
) -> None:
    vector = struct.pack(">HH8f", 8, 0, *[1.0] * 8)
    binary = [b"docs", vector, b"v1", struct.pack(">i", 3), b'\x01{"even": true}']
    vector_type = one(db, "SELECT 'vector'::regtype::oid")
    result = db.pgconn.exec_params(CALL, binary, [25, vector_type, 25, 23, 3802], [1] * 5, 1)
    assert contents(result) == expected


def test_a_client_reads_the_code_and_the_detail_of_a_refusal(
    db: psycopg.Connection, expected: list[bytes]
) -> None:
    result = db.pgconn.exec_params(CALL, [*PLAIN[:2], b"v9", *PLAIN[3:]])
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"PV002"
    assert b'"model_version": "v9"' in (
        result.error_field(pq.DiagnosticField.MESSAGE_DETAIL) or b""
    )
