"""What a user is told of a file that is not read: one sentence, one hint, exit code 4."""

from dlcli.errors import MODEL, DlcliError


def refused(path, why: str, hint: str = "is it whole?") -> DlcliError:
    """Of a file that is broken or hostile."""
    return DlcliError(f"{path} is not read: {why}.", hint, code=MODEL)


def damaged(path, why: str, hint: str = "is it whole, and of this version?") -> DlcliError:
    """Of a file that is not what it says it is."""
    return DlcliError(f"{path} could not be read: {why}.", hint, code=MODEL)


def told(message: str, hint: str) -> DlcliError:
    """In words of its own."""
    return DlcliError(message, hint, code=MODEL)


def shown(value, limit: int = 60) -> str:
    """A value out of a file, on one line and never longer than that."""
    text = repr(value[: 2 * limit] if isinstance(value, str | bytes) else value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
