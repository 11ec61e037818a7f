"""declare_equivalent: the public path of ``embedders/fingerprints.py``."""

from pgvec_versions.embedders.fingerprints import declare_equivalent

__all__ = ["declare_equivalent"]
