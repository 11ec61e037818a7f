"""``python -m pgvec_versions``: the same as the command ``pgvec``."""

from pgvec_versions.cli import main

main()
