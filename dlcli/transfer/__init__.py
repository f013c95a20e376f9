"""A trained network taken over for other data: opened, rebuilt, its weights copied, and fitted by a strategy."""
