"""Whether a version is good enough: evaluations, the gate, the shadow and the report.

::

    measure.py         evaluate: a version against the active one, without touching traffic
    side.py            one of the two, and what was measured of it
    figures.py         what the measurement shows; pure
    queries.py         queries from a file, or made from chunks; pure
    metrics.py         recall, overlap, nDCG, intervals, significance; pure
    distances.py       distributions, and thresholds from one model to another; pure
    shadow.py          a share of live queries, compared off the request path
    records.py         evaluations and the gate, in the catalog
    bounds.py          "recall@10>=0.95" as a gate stores it; pure

    report.py          the report: HTML and Markdown
    verdict.py         its first line: better, worse, or stopped by the gate; pure
    metric_table.py    its table; pure
    plots.py           its plots, as SVG in the reader's light or dark theme
    canary_history.py  its list of canary checks; pure
    detail.py          makes an evaluation of any origin safe to draw; pure

Importing this package imports none of them. The extra ``evaluate`` installs the libraries.
"""
