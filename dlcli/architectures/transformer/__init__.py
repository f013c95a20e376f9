"""Transformers: every position looks at the others by attention."""
