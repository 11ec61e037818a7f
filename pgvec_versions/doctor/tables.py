"""A pgvector table outside the catalog, and whether one model made its vectors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from psycopg import sql
from psycopg.rows import namedtuple_row
from sqlalchemy import Engine

from pgvec_versions.doctor.clusters import model_groups
from pgvec_versions.doctor.finding import Finding, reading, rows
from pgvec_versions.doctor.samples import (
    SAMPLED_ROWS,
    check_lengths,
    reproduce,
    sampled_percent,
    share_finding,
)
from pgvec_versions.embedders import Embedder
from pgvec_versions.errors import InvalidArgument, UnknownName
from pgvec_versions.postgres import sqlfiles, vectors

#: Fewer rows with text and vector show no clusters.
_ENOUGH_FOR_CLUSTERS = 100
#: In a smaller table, reading all of it is the cheaper plan. Units: rows.
_SMALL = SAMPLED_ROWS
#: Values that a finding lists.
_LISTED = 5
#: As much of a value as a finding shows. Units: characters.
_SHOWN = 100
#: Columns that usually hold the text, the likeliest first.
_TEXT_NAMES = ("content", "text", "document", "chunk", "body", "page_content", "chunk_text")
_SAYS_MODEL = re.compile(r"(^|_)(model|embedder|embedding_model|encoder)(_|$)", re.IGNORECASE)


def model_names(
    row: Mapping[str, Any], path: str = "", depth: int = 3
) -> Iterator[tuple[str, str]]:
    """Path and value of every field that names a model, in a row or in JSON inside it."""
    for key, value in row.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and depth:
            yield from model_names(cast("Mapping[str, Any]", value), here, depth - 1)
        elif isinstance(value, str) and value and _SAYS_MODEL.search(str(key)):
            yield here, value[:_SHOWN]


def _column(
    kind: str, named: str | None, fitting: list[str], preferred: Sequence[str], table: str
) -> str | None:
    if named is not None:
        if named not in fitting:
            raise InvalidArgument(
                f"{table} has no {kind} column {named!r}.",
                hint=f"It has: {', '.join(fitting) or 'none'}.",
            )
        return named
    return next((name for name in preferred if name in fitting), next(iter(fitting), None))


def _names_finding(table: str, sample: list[dict[str, Any]]) -> list[Finding]:
    by_path: dict[str, Counter[str]] = {}
    for row in sample:
        for path, value in model_names(row):
            by_path.setdefault(path, Counter())[value] += 1
    found: list[Finding] = []
    for path, counts in by_path.items():
        listed = ", ".join(f"{value} ({count})" for value, count in counts.most_common(_LISTED))
        if len(counts) > 1:
            to_do = "One index holds vectors of several models: give each its own."
            found.append(Finding("problem", table, f"{path} names {listed}", to_do))
        else:
            found.append(Finding("ok", table, f"{path} names {listed}"))
    return found or [Finding("warning", table, "no column names a model", "Write it on every row.")]


def _index_findings(raw: Any, table: str, shown: str, small: bool) -> list[Finding]:
    found = [
        Finding(
            "ok" if row["valid"] else "problem",
            shown,
            f"index {row['name']} ({row['method']}){'' if row['valid'] else ' is invalid'}",
            "" if row["valid"] else "REINDEX it.",
        )
        for row in rows(raw, "table_indexes", table=table)
    ]
    if found:
        return found
    none = "it has no HNSW or IVFFlat index: every query reads all of it"
    if small:
        return [Finding("ok", shown, f"{none}, which is as well for fewer than {_SMALL} rows")]
    return [Finding("warning", shown, none, "CREATE INDEX … USING hnsw.")]


def examine_table(
    engine: Engine,
    table: str,
    *,
    embedders: Mapping[str, Embedder] | None = None,
    sample: int = 100,
    text_column: str | None = None,
    vector_column: str | None = None,
) -> list[Finding]:
    """Checks a table outside the catalog. Read-only; reads a sample of 1,000 rows.

    ``embedders``: models that may have made the vectors, by the name to show. Each embeds
    ``sample`` of the rows again.
    Raises: UnknownName, InvalidArgument (no such vector or text column), EmbedderError.
    """
    with reading(engine) as raw:
        place = rows(raw, "table_found", table=table)
        if not place or not place[0]["is_table"]:
            raise UnknownName(
                f"there is no table {table!r}.",
                hint="Write schema.table as SQL would; views cannot be sampled.",
            )
        shown = f"{place[0]['schema']}.{place[0]['name']}"
        columns = rows(raw, "table_columns", table=table)
        kinds = {c["name"]: c["type"] for c in columns}
        vector = _column(
            "vector",
            vector_column,
            [n for n, t in kinds.items() if t in ("vector", "halfvec")],
            ("embedding", "vector"),
            shown,
        )
        text = _column(
            "text",
            text_column,
            [n for n, t in kinds.items() if t in ("text", "varchar", "bpchar")],
            _TEXT_NAMES,
            shown,
        )
        if vector is None:
            raise InvalidArgument(f"{shown} has no column of type vector or halfvec.")
        seen = f"vectors in {vector}, texts in {text or 'no column'}"
        statement = sqlfiles.query("table_sample").format(
            text=sql.Identifier(text) if text else sql.SQL("NULL"),
            vector=sql.Identifier(vector),
            vector_name=sql.Literal(vector),
            text_name=sql.Literal(text or ""),
            table=sql.Identifier(place[0]["schema"], place[0]["name"]),
        )
        percent = sampled_percent(place[0]["estimate"])
        with raw.cursor(binary=True, row_factory=namedtuple_row) as cursor:
            sampled: list[Any] = cursor.execute(
                statement, {"percent": percent, "count": SAMPLED_ROWS}
            ).fetchall()
        # The estimate is 0 for a table that was never analyzed; a sample of all pages has all rows.
        small = percent == 100 and len(sampled) < _SMALL
        found = [Finding("ok", shown, seen), *_index_findings(raw, table, shown, small)]
    filled = [row for row in sampled if row.embedding is not None]
    if len(filled) < len(sampled):
        seen = f"{len(sampled) - len(filled)} of {len(sampled)} sampled rows have no vector"
        found.append(Finding("warning", shown, seen, "No vector search ever finds them."))
    found += _names_finding(shown, [row.others for row in sampled])
    texts: list[str | None] = [row.content for row in filled]
    stored = [vectors.unpack([row.embedding], kinds[vector])[0] for row in filled]
    found += _vectors_findings(shown, texts, stored, text is not None)
    usable = [
        (content, row)
        for content, row in zip(texts, stored, strict=True)
        if content and content.strip()
    ][:sample]
    for name, embedder in (embedders or {}).items():
        if usable:
            again = reproduce(embedder, [text for text, _ in usable], [row for _, row in usable])
            found.append(share_finding(shown, name, again))
    return found


def _vectors_findings(
    shown: str, texts: list[str | None], stored: list[Any], has_texts: bool
) -> list[Finding]:
    if not stored:
        return [Finding("warning", shown, "no row has a vector")]
    sizes = Counter(len(row) for row in stored)
    found: list[Finding] = []
    if len(sizes) > 1:
        listed = ", ".join(f"{size} ({count})" for size, count in sizes.most_common(_LISTED))
        seen = f"vectors of several dimensions: {listed}"
        found.append(Finding("problem", shown, seen, "They are of several models: separate them."))
    # Where the text is empty, no vector says anything: zeros are right, too.
    lengths = [
        float(np.linalg.norm(row))
        for text, row in zip(texts, stored, strict=True)
        if text is None or text.strip()
    ]
    found += check_lengths(shown, np.array(lengths, dtype=np.float64))
    [(most, _)] = sizes.most_common(1)
    kept = [i for i, row in enumerate(stored) if len(row) == most and row.any() and texts[i]]
    if not has_texts or len(kept) < _ENOUGH_FOR_CLUSTERS:
        seen = f"too few sampled rows with text and vector to look for clusters: {len(kept)}"
        return [*found, Finding("ok", shown, seen)]
    label = model_groups(np.stack([stored[i] for i in kept]), [texts[i] or "" for i in kept])
    groups = Counter(int(x) for x in label)
    if len(groups) == 1:
        seen = f"no sign of a second model among {len(kept)} sampled vectors of {most} dimensions"
        return [*found, Finding("ok", shown, seen)]
    listed = " and ".join(f"{count / len(kept):.0%}" for _, count in groups.most_common())
    seen = (
        f"{len(groups)} groups of vectors that are not comparable ({listed} of {len(kept)} "
        "sampled): no vector is near one of another group, though their texts are alike"
    )
    to_do = "It looks as if several models share this index. Proof: name candidates, --embedder."
    return [*found, Finding("problem", shown, seen, to_do)]
