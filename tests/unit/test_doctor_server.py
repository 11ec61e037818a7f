"""The doctor on servers that no test can start: what their versions and settings mean. Pure."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pgvec_versions.doctor import Finding, Patient
from pgvec_versions.doctor.server import check_server, check_settings
from pgvec_versions.doctor.versions import check_versions

GIGA = 1024**3
SERVER: dict[str, Any] = {
    "server_version": "17.6",
    "server_version_num": 170006,
    "vector_version": "0.8.5",
    "maintenance_work_mem": GIGA // 16,
    "shared_buffers": GIGA // 8,
    "effective_cache_size": 4 * GIGA,
    "autovacuum": True,
    "replication_role": "origin",
}
VERSION: dict[str, Any] = {
    "collection": "docs",
    "model_version": "v1",
    "state": "active",
    "chunks": 10,
    "embedder": {"model": "x"},
    "index_valid": True,
    "index_bytes": GIGA // 32,
    "items_set_aside": 0,
    "last_error": None,
    "missing": 0,
    "fingerprint": "agrees",
}


def patient(server: dict[str, Any], *versions: dict[str, Any]) -> Patient:
    made = Patient(cast("Any", None), {**SERVER, **server}, 0, lambda *_: None)
    made.status = [{**VERSION, **version} for version in versions]
    return made


def ill(found: list[Finding]) -> list[tuple[str, str]]:
    assert all(f.to_do for f in found if f.level != "ok")
    return [(f.level, f.evidence) for f in found if f.level != "ok"]


@pytest.mark.parametrize(
    ("version", "level", "words"),
    [
        ("0.7.4", "problem", "0.7.4"),
        ("0.8.0", "warning", "CVE-2026-3172"),
        ("0.8.1", "warning", "CVE-2026-3172"),
        ("0.8.2", "warning", "fixed in 0.8.4"),
        ("0.8.4", None, ""),
        ("0.9.0", None, ""),
        (None, "problem", "not in this database"),
    ],
)
def test_a_pgvector_below_a_fixed_fault_is_named(
    version: str | None, level: str | None, words: str
) -> None:
    found = ill(check_server(patient({"vector_version": version})))
    assert [seen[0] for seen in found] == ([level] if level else [])
    assert all(words in seen[1] for seen in found)


def test_an_old_server_is_named() -> None:
    old = {"server_version": "14.9", "server_version_num": 140009}
    assert ill(check_server(patient(old))) == [("problem", "14.9")]
    assert ill(check_server(patient({}))) == []


def test_settings_that_are_in_order_are_not_mentioned() -> None:
    assert check_settings(patient({}, {})) == []
    assert ill(check_versions(patient({}, {}))) == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"autovacuum": False}, "autovacuum is off"),
        ({"replication_role": "replica"}, "session_replication_role is replica"),
        (
            {"shared_buffers": GIGA // 64, "effective_cache_size": GIGA // 64},
            "do not fit into memory",
        ),
    ],
)
def test_a_setting_that_harms_is_named(setting: dict[str, Any], words: str) -> None:
    ((_, seen),) = ill(check_settings(patient(setting, {})))
    assert words in seen


def test_only_indexes_that_queries_use_count_against_memory() -> None:
    small = {"shared_buffers": GIGA // 64, "effective_cache_size": GIGA // 64}
    assert check_settings(patient(small, {"state": "ready"})) == []


@pytest.mark.parametrize(
    ("version", "level", "words"),
    [
        ({"index_bytes": GIGA}, "warning", "larger than maintenance_work_mem"),
        ({"index_valid": False}, "problem", "missing or invalid"),
        ({"items_set_aside": 2, "last_error": "no"}, "problem", "2 work items set aside: no"),
        ({"fingerprint": "differs"}, "problem", "does not make its vectors"),
        ({"fingerprint": "none"}, "warning", "no canaries"),
    ],
)
def test_what_the_catalog_says_of_a_version_becomes_a_finding(
    version: dict[str, Any], level: str, words: str
) -> None:
    ((seen_level, seen),) = ill(check_versions(patient({}, version)))
    assert (seen_level, words in seen) == (level, True)


def test_a_version_without_a_leaf_is_left_alone() -> None:
    assert check_versions(patient({}, {"state": "retired", "chunks": None})) == []
