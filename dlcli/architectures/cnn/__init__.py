"""Convolutional networks: the same small filters everywhere, in space or in time."""
