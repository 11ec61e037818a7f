"""An upgrade of the embedding model, from the first chunk to the cut-over and back.

::

    transition.py   Transition: the verbs, in order, resumable
    catching_up.py  work off what is open for a version, the last of it while writers wait
    preview.py      what a verb would do, what stops it, and the wait until nothing stops it
    rehearsal.py    everything that an upgrade would check, without a change
    pausing.py      pause, resume, and the wait while a version is paused
    estimates.py    how much disk, memory and time a version takes
    worker.py       claim, embed, write, overlapped
    patience.py     how long a worker pauses after errors
    work_queue.py   the statements of a worker
    index_build.py  the build of the index, beside writers
    presence.py     the session that shows that a worker lives
    waiting.py      whom a verb waits for, and until when
    claims.py       what a worker has claimed; pure
    sizes.py        how much a worker takes at once; pure
    throttle.py     how fast a worker may go
"""
