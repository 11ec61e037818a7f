"""The rules of the state machine that write: by SQL, through the store, and a fill by hand."""

from __future__ import annotations

import uuid

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from psycopg.types.json import Jsonb

from pgvec_versions import Chunk
from tests.faults.machine_model import LABELS, Model
from tests.tools import literal

picks = st.integers(0, 5)
contents = st.sampled_from(["one", "two", "three", "four"])
numbers = st.integers(0, 3)
#: How a write happens: carried to the other versions at once, from an old snapshot, or while the
#: index of one of them is built. In the last two cases every change becomes a work item.
manners = st.sampled_from(["plain", "plain", "plain", "repeatable read", "index build"])


def chunk_id(pick: int) -> str:
    return str(uuid.UUID(int=pick + 1))


def document(pick: int) -> str:
    return f"doc-{pick % 2}"


class Writes(Model):
    """Inserts, edits and deletes, each through one version or through all of them."""

    @rule(version=picks, chunk=picks, text=contents, number=numbers, manner=manners)
    def insert_by_sql(self, version: int, chunk: int, text: str, number: int, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        if self.row(label, key) is not None:
            return
        # A building version gets copies of the active one; a copy never counts as a new write.
        copies = self.state[label] == "building" and self.active and self.row(self.active, key)
        with self.writing(manner, number, label) as connection:
            connection.execute(
                "INSERT INTO docs (chunk_id, model_version, document_id, content, metadata,"
                " embedding) VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    key,
                    label,
                    document(chunk),
                    text,
                    Jsonb({"n": number}),
                    literal(LABELS[label].vector(text)),
                ),
            )
        if not copies:
            self.chunks[key] = (text, {"n": number})

    @rule(version=picks, chunk=picks, text=contents, manner=manners)
    def edit_by_sql(self, version: int, chunk: int, text: str, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        before = self.row(label, key)
        if before is None or before.content == text:
            return
        with self.writing(manner, version, label) as connection:
            connection.execute(
                "UPDATE docs SET content = %s, embedding = %s"
                " WHERE chunk_id = %s AND model_version = %s",
                (text, literal(LABELS[label].vector(text)), key, label),
            )
        self.chunks[key] = (text, before.metadata)

    @rule(version=picks, chunk=picks, number=numbers, manner=manners)
    def edit_metadata_by_sql(self, version: int, chunk: int, number: int, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        before = self.row(label, key)
        if before is None:
            return
        with self.writing(manner, version, label) as connection:
            connection.execute(
                "UPDATE docs SET metadata = %s WHERE chunk_id = %s AND model_version = %s",
                (Jsonb({"n": number}), key, label),
            )
        self.chunks[key] = (before.content, {"n": number})

    @rule(
        chunk=picks,
        number=numbers,
        # Without index builds: it would wait for one, like an UPDATE of the leaf itself.
        manner=st.sampled_from(["plain", "plain", "repeatable read"]),
    )
    def edit_metadata_of_all_versions(self, chunk: int, number: int, manner: str) -> None:
        """An UPDATE that names no version, also while an edit of the text waits for a worker."""
        key = chunk_id(chunk)
        held = [
            (turn, content)
            for label, turn, content in self.db.execute(
                "SELECT model_version, turn, content FROM docs WHERE chunk_id = %s", (key,)
            )
            if self.state[label] != "abandoned"
        ]
        if not held:
            return
        # The text that is ahead stays ahead.
        text = self.chunks[key][0] if key in self.chunks else max(held)[1]
        with self.writing(manner, number, "") as connection:
            connection.execute(
                "UPDATE docs SET metadata = %s WHERE chunk_id = %s", (Jsonb({"n": number}), key)
            )
        self.chunks[key] = (text, {"n": number})

    @rule(version=picks, chunk=picks, manner=manners)
    def delete_by_sql(self, version: int, chunk: int, manner: str) -> None:
        label, key = self.pick_live(version), chunk_id(chunk)
        with self.writing(manner, chunk, label) as connection:
            gone = connection.execute(
                "DELETE FROM docs WHERE chunk_id = %s AND model_version = %s", (key, label)
            ).rowcount
        if gone:
            self.chunks.pop(key, None)

    @rule(
        version=picks, chunk=picks, text=contents, number=numbers, whole=st.booleans(),
        manner=st.sampled_from(["plain", "plain", "index build"]),
    )  # fmt: skip
    def add_by_store(
        self, version: int, chunk: int, text: str, number: int, whole: bool, manner: str
    ) -> None:
        """Inserts, edits or touches a chunk. As a whole document it deletes the others."""
        label, key = self.pick_live(version), chunk_id(chunk)
        same_document = [chunk_id(o) for o in range(6) if document(o) == document(chunk)]
        with self.writing(manner, number, label, same_document if whole else ()):
            self.store.add(
                [Chunk(text, document(chunk), chunk, {"n": number}, key)],
                version=label,
                keep_others=not whole,
            )
        if whole:
            for other in [o for o in range(6) if document(o) == document(chunk)]:
                self.chunks.pop(chunk_id(other), None)
        self.chunks[key] = (text, {"n": number})

    @rule(chunk=picks, by_document=st.booleans())
    def delete_by_store(self, chunk: int, by_document: bool) -> None:
        if by_document:
            self.store.delete(document_ids=[document(chunk)])
            gone = [chunk_id(o) for o in range(6) if document(o) == document(chunk)]
        else:
            self.store.delete(chunk_ids=[chunk_id(chunk)])
            gone = [chunk_id(chunk)]
        for key in gone:
            self.chunks.pop(key, None)

    # ------------------------------------------------------------ a fill by hand, in two steps

    @precondition(lambda self: self.active is not None and "building" in self.state.values())
    @rule()
    def read_for_a_fill_by_hand(self) -> None:
        label = next(v for v, s in self.state.items() if s == "building")
        found = self.db.execute(
            "SELECT chunk_id::text, document_id, position, content, metadata, written_at"
            "  FROM docs WHERE model_version = %s",
            (self.active,),
        ).fetchall()
        self.read_by_hand.append((label, found))

    @precondition(lambda self: bool(self.read_by_hand))
    @rule(pick=picks, dated=st.booleans())
    def write_the_fill_by_hand(self, pick: int, dated: bool) -> None:
        """Writes what was read a while ago, dated or not. It must not undo later writes."""
        label, found = self.read_by_hand.pop(pick % len(self.read_by_hand))
        if self.state[label] not in ("building", "ready"):
            return
        # Undated rows count as a copy only while the version is building.
        dated = dated or self.state[label] == "ready"
        for key, document_id, position, content, metadata, written_at in found:
            if key not in self.chunks:
                continue
            self.db.execute(
                "INSERT INTO docs VALUES (%s, %s, %s, %s, %s, %s, %s, coalesce(%s, now()))"
                " ON CONFLICT DO NOTHING",
                (
                    key,
                    label,
                    document_id,
                    position,
                    content,
                    Jsonb(metadata),
                    literal(LABELS[label].vector(content)),
                    written_at if dated else None,
                ),
            )
