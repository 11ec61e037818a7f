"""Canaries: fixed texts whose vectors show which model made them, whatever its name. Pure.

When a version is registered, it keeps the vectors that its embedder makes of them: its fingerprint.
For the figures behind the tolerances see ``docs/fingerprints.md``, made by ``bench/canaries.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from pgvec_versions.embedders.protocol import Vectors

Kind = Literal["document", "query"]

#: A canary agrees if the stored vector and the one made now have at least this cosine,
LEAST_COSINE = 0.999
#: and if its length changed by no more than this share: a missing normalization is a difference.
MOST_LENGTH_CHANGE = 0.05

_SENTENCE = "The ferry to the island leaves at seven in the morning and returns in the evening."

# Longer than many models read, and every paragraph has another topic: a model that cuts it off
# elsewhere, or not at all, makes another vector.
_LONG = """\
Bread begins with flour, water, salt and time. The baker folds the dough four times in the first \
hour, lets it rest under a damp cloth until it has doubled, shapes it with floured hands, and \
slides it onto a hot stone. After forty minutes the crust sings when it is taken out, and a \
knock on the underside gives a hollow sound. Rye needs a sour starter; wheat is content with \
yeast.

A sailing boat cannot go straight against the wind. It tacks, in a zigzag, with the sail hauled \
in close and the crew leaning out on the windward side. When the bow passes through the wind the \
boom swings over, the jib is let go and pulled tight on the other side, and the helmsman looks \
for the next gust on the water. A reef is taken in before it is needed.

The tax return lists income from work, rent and capital, each on a form of its own. Expenses for \
the way to the office, for tools and for training are deducted; receipts are kept for six years. \
The office sends its assessment within some months, and an objection must reach it within thirty \
days, in writing and with reasons.

Jupiter has more than ninety moons. Four of them were seen by Galileo in 1610 with a telescope \
that magnified twenty times: Io, with its volcanoes; Europa, under whose ice lies an ocean; \
Ganymede, larger than Mercury; and Callisto, old and full of craters. A probe takes five years \
to get there and borrows speed from Venus and from the Earth on the way.

A contract of sale is made when an offer is accepted. Silence is no acceptance. If the goods are \
not as agreed, the buyer may first ask for repair or for another piece; only then for a lower \
price or for the money back. Claims lapse two years after delivery, for buildings after five.

The heart beats about a hundred thousand times a day. Blood that has little oxygen comes from \
the body into the right atrium, passes the ventricle and the lungs, returns bright red into the \
left side, and leaves through the aorta. A murmur may be harmless in children; breathlessness on \
the stairs is a reason to have it listened to.

In the second half the visitors pressed higher and won the ball near the corner flag. A short \
cross to the near post, a deflection, and the keeper could only push it onto the bar; the \
rebound was headed in from three metres. The referee looked at the screen for two minutes and \
gave the goal. The stadium was half empty by then, because the last train left at ten.

Tomatoes want warmth, light and a dry leaf. They are sown indoors in March, pricked out when the \
second pair of leaves shows, and planted after the last frost, deeper than they stood before. \
Side shoots are broken off. A handful of nettles in the planting hole feeds them for the whole \
summer, and basil next to them is said to keep the whitefly away."""

#: The texts by name. A version keeps its own copy, so this list may grow.
CANARIES = MappingProxyType(
    {
        "word": "harbour",
        "question": "How do I get my money back for a parcel that arrived broken?",
        "sentence": _SENTENCE,
        "near duplicate": _SENTENCE.replace("seven", "eight"),
        "negation": _SENTENCE.replace("leaves", "does not leave"),
        "numbers": "Invoice 2024-0317: 12 × 4.50 = 54.00, VAT 19 % = 10.26, total 64.26 EUR.",
        "code": (
            "def mean(values: list[float]) -> float:\n"
            '    if not values:\n        raise ValueError("no values")\n'
            "    return sum(values) / len(values)\n"
        ),
        "sql": "SELECT d.title, count(*) FROM document d JOIN note n USING (id) GROUP BY 1;",
        "markdown": "# Setup\n\n1. Install *the package*\n2. Run `make`\n\n| a | b |\n|---|---|\n",
        "german": "Die Prüfung der Rechnung dauert höchstens zwei Wochen.",
        "spanish": "¿Dónde puedo renovar el pasaporte si vivo en el extranjero?",
        "russian": "Поезд опаздывает на двадцать минут из-за снега.",
        "chinese": "请在提交申请之前检查所有的附件。",
        "arabic": "تغلق المكتبة أبوابها في الساعة الثامنة مساء.",
        "signs": "ÜBER-size!!  mixed CASE,\ttabs … «quotes» — and 🚢⚓ <b>tags</b> &amp; co.",
        "long": _LONG,
    }
)

#: Those that are embedded again whenever an embedder is bound to a version: few, because that takes
#: time, and each of another sort.
CHECKED: MappingProxyType[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "document": ("sentence", "numbers", "code", "chinese", "long"),
        "query": ("question", "sentence"),
    }
)


@dataclass(frozen=True, slots=True)
class Canary:
    """A text, and the vector that a version's embedder made of it.

    Shape: ``embedding`` is (dimensions,). ``checked``: compared whenever an embedder is bound.
    """

    name: str
    kind: Kind
    content: str
    embedding: Vectors
    checked: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well vectors made now agree with the stored ones. The worst canary decides.

    Units: ``length_change`` is a share of the stored length.
    """

    cosines: dict[str, float]
    least_cosine: float
    worst: str
    length_change: float

    @property
    def agrees(self) -> bool:
        """Whether the same model made both."""
        return self.least_cosine >= LEAST_COSINE and self.length_change <= MOST_LENGTH_CHANGE


def compare(stored: Sequence[Canary], made: Vectors) -> Agreement:
    """Compares stored canaries with the vectors that an embedder makes of the same texts now.

    Shape: ``made`` is (len(stored), dimensions), checked rows. Needs at least one canary.
    """
    before = np.stack([canary.embedding for canary in stored]).astype(np.float64)
    now = made.astype(np.float64)
    lengths_before = np.linalg.norm(before, axis=1)
    lengths_now = np.linalg.norm(now, axis=1)
    cosines = np.einsum("ij,ij->i", before, now) / (lengths_before * lengths_now)
    worst = int(np.argmin(cosines))
    return Agreement(
        cosines={f"{c.kind} {c.name}": float(x) for c, x in zip(stored, cosines, strict=True)},
        least_cosine=float(cosines[worst]),
        worst=f"{stored[worst].kind} {stored[worst].name}",
        length_change=float(np.abs(lengths_now / lengths_before - 1).max()),
    )
