"""An upgrade of the embedding model, from the first chunk to the cut-over and back.

::

    transition.py  Transition: the verbs, in order, resumable
    preview.py     what a verb would do, what is in the way, and the wait until nothing is
    pausing.py     pause, resume, and the wait while a version is paused
    estimates.py   what a version takes of disk and memory
    worker.py      claim, embed, write, overlapped
    work_queue.py  the statements of a worker
    claims.py      what a worker holds; pure
    throttle.py    how fast a worker may go
"""
