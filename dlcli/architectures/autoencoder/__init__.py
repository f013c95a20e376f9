"""Autoencoders: networks that give back their input, through a narrow code or without its noise."""
