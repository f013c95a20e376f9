"""Open up a network: what each layer is, and what it has learned, measured."""
