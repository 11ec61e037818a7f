"""The verbs of a transition: the public path of ``upgrade/transition.py``."""

from pgvec_versions.upgrade.transition import Progress, Transition, abandon, roll_back

__all__ = ["Progress", "Transition", "abandon", "roll_back"]
