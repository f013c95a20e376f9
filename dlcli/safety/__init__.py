"""Files of others: read in a small, limited process before Keras sees them, and refused where they could do harm.

`preflight.check(path)` is the whole of it for whoever only wants to know; `preflight.held(path)` also gives
the path under which exactly what was checked can be opened. Nothing here imports Keras but loading.py.
"""
