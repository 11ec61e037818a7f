"""How old versions retire: the job, its schedule, and what keeps a version.

::

    job.py            run the job: once, or at intervals
    schedule.py       put the job on a schedule
    timetable.py      what a schedule means, and lines for other schedulers; pure
    holds.py          holds, and how a collection retires its versions
    watch.py          what the job did, and what is wrong with it
    archive.py        a version's rows in a file, and back
    parquet.py        such a file as Parquet
    checked_files.py  files with a checksum
"""
