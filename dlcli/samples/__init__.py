"""Procedural data sets: any number of examples from a seed, with the factors each was made of."""
