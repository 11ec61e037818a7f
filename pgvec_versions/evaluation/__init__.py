"""Whether a version is good enough: evaluations, the gate, the shadow and the report.

::

    metrics.py    recall, overlap, nDCG, intervals, significance; pure
    queries.py    labelled and recorded queries from a file, known-item queries from chunks; pure
    distances.py  distributions, and what a threshold of one model is in another; pure
    bounds.py     "recall@10>=0.95" as a gate stores it; pure
    measure.py    evaluate: a version against the active one, without touching traffic
    records.py    evaluations and the gate, in the catalog
    shadow.py     a share of live queries, compared off the request path
    plots.py      the figures as SVG that follows the reader's light or dark theme
    report.py     the report: HTML and Markdown

Importing this package imports none of it. The extra ``evaluate`` brings the libraries.
"""
