"""One file a row of the table: ``ROW`` and ``measure(lab) -> list[Figure]``.

``ORDER`` is the order of the run; a file that is not there is left out.
"""

ORDER = (
    "add",
    "add_followed",
    "backfill",
    "workers",
    "minilm",
    "onnx",
    "upgrade",
    "build",
    "search_view",
    "search_store",
    "embedding_at_once",
    "both_versions",
    "filtered",
    "cut_over",
    "growth",
    "memory",
    "imports",
)
