"""Worker: the public path of ``upgrade/worker.py``."""

from pgvec_versions.upgrade.worker import Worker, WorkerReport

__all__ = ["Worker", "WorkerReport"]
