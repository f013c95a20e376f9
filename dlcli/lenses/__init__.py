"""Lenses: one file, one way to look at layers."""
