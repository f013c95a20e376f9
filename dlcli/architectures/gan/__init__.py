"""Generative adversarial networks: a generator that is trained by a discriminator."""
