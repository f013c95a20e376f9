"""Which Keras wrote a file, beside the one that is here; told without importing it."""

from importlib.metadata import version


def installed() -> str:
    """The version of Keras that is here."""
    return version("keras")


def newer(made: str) -> bool:
    """Whether a version is later than the one that is here: by its first two numbers."""
    return _numbers(made) > _numbers(installed())


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() and len(part) < 6 else 0 for part in text.split(".")[:2])
