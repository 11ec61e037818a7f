"""Equal vectors of different texts: whether the embedder makes them, or something went wrong. Pure.

An embedder may have good reason. One that adds up its tokens, or hashes them, gives the same vector
to the same words in another order; most tokenizers drop case, accents and blanks; every model that
cuts texts off sees only their beginning. So the embedder is asked again where there is one. Without
one, the kind that the version was registered with decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum
from math import gcd
from typing import Any

import numpy as np

from pgvec_versions.doctor.finding import Finding
from pgvec_versions.embedders import Embedder, Vectors, checked
from pgvec_versions.embedders.canaries import LEAST_COSINE
from pgvec_versions.embedders.static import PROVIDER as STATIC_TOKENS

#: Words in the provider or the model of an embedder that looks at tokens without their order.
_ORDER_FREE = re.compile(
    r"static|hash|bag|(^|[^a-z])bow([^a-z]|$)|words?([^a-z]|$)|tf-?idf|bm25"
    r"|model2vec|potion|word2vec|glove|fasttext",
    re.IGNORECASE,
)
#: Of those, the ones that give different words the same place now and then.
_HASHING = re.compile(r"hash", re.IGNORECASE)
#: Texts that a model cut off have at least as much in common. Units: characters.
_LEAST_BEGINNING = 100


class Reason(Enum):
    """Why several texts have one vector, in the words of a finding."""

    SPELLING = "texts that differ in case, accents or blanks only"
    ORDER = "texts of the same words, whose order this kind of embedder does not see"
    HASHED = "several texts, as happens with an embedder that hashes words"
    MADE_AGAIN = "texts that its embedder does not tell apart: it was asked again"
    CUT_OFF = "texts that begin alike: its embedder was asked again, and sees no difference"
    UNKNOWN = "several different texts"


#: Reasons of which nothing is wrong.
_SOUND = (Reason.SPELLING, Reason.ORDER, Reason.HASHED, Reason.MADE_AGAIN)


def order_free(embedder: Mapping[str, Any]) -> bool:
    """Whether an embedder of this identity looks at tokens without their order, by its name."""
    return embedder.get("provider") == STATIC_TOKENS or bool(_ORDER_FREE.search(_names(embedder)))


def _names(embedder: Mapping[str, Any]) -> str:
    return f"{embedder.get('provider', '')} {embedder.get('model', '')}"


def _plain(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "".join(part for part in parts if not unicodedata.combining(part))


def spelling(text: str) -> str:
    """The text without what tokenizers drop: case, accents, blanks beside other characters."""
    return " ".join(re.findall(r"\w+|[^\w\s]", _plain(text)))


def bag(text: str) -> dict[str, int]:
    """How often each word occurs, as shares: a text that is written twice has the same bag."""
    counts = Counter(re.findall(r"\w+|[^\w\s]", _plain(text)))
    part = gcd(*counts.values()) if counts else 1
    return {word: count // part for word, count in counts.items()}


def _makes_again(embedder: Embedder, texts: Sequence[str], stored: Vectors) -> bool:
    made = embedder.embed_documents(list(texts))
    now = checked(
        made, count=len(texts), dimensions=embedder.dimensions, what=str(embedder.identity)
    )
    sizes = np.linalg.norm(now, axis=1) * np.linalg.norm(stored)
    cosines = np.divide(now @ stored, sizes, out=np.zeros(len(now)), where=sizes > 0)
    return bool((cosines >= LEAST_COSINE).all())


def reason(
    texts: Sequence[str],
    stored: Vectors,
    identity: Mapping[str, Any],
    embedder: Embedder | None,
) -> Reason:
    """Why these texts have this one vector. Shape: ``stored`` (dimensions,).

    ``identity``: what the version was registered with. ``embedder``: the same one, if you have it.
    Raises: EmbedderError.
    """
    first, *others = texts
    kind = order_free(identity)
    if embedder is None:
        if all(spelling(text) == spelling(first) for text in others):
            return Reason.SPELLING
        if kind and all(bag(text) == bag(first) for text in others):
            return Reason.ORDER
        if _HASHING.search(_names(identity)):
            return Reason.HASHED
        return Reason.UNKNOWN
    if not _makes_again(embedder, texts, stored):
        return Reason.UNKNOWN
    same_words = all(bag(text) == bag(first) for text in others)
    begin_alike = len({text[:_LEAST_BEGINNING] for text in texts}) == 1
    if begin_alike and not same_words and not kind:
        return Reason.CUT_OFF
    return Reason.MADE_AGAIN


def shared_findings(name: str, reasons: Sequence[Reason], total: int) -> list[Finding]:
    """The findings for the vectors that were looked at, of ``total`` that several texts share."""
    found: list[Finding] = []
    part = f" ({len(reasons)} of {total} looked at)" if len(reasons) < total else ""
    for why, count in Counter(reasons).items():
        seen = f"{count} vectors belong to {why.value}{part}"
        if why in _SOUND:
            found.append(Finding("ok", name, seen))
        elif why is Reason.CUT_OFF:
            to_do = "The model reads only the beginning of a text: split into shorter chunks."
            found.append(Finding("warning", name, seen, to_do))
        else:
            to_do = "A text changed without its vector, or was cut off: embed them again."
            found.append(Finding("warning", name, seen, to_do))
    return found
