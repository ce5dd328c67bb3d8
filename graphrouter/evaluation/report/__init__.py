"""One report for comparisons, evaluations, ablations and sweeps: pages, charts, tables and text.

It shows what was measured and measures nothing: nothing that measures imports it.
"""
