"""The one exception that a user's mistake raises, and the exit codes that scripts may rely on."""

import math

USAGE = 2
DATA = 3
MODEL = 4
DISK = 5
DIVERGED = 6
MEMORY = 7
LOCKED = 8
MISMATCH = 9
CHECK = 10  # a check of inspect-layers failed
PREEMPTED = 75  # stopped by SIGTERM: resume me
STOPPED = 130


# What --skip-bad lets be left out: the fraction of files or lines that cannot be read.
SKIPPED = 0.01
NAMED = 100  # of them are named in a message


class DlcliError(Exception):
    """What is wrong, in one sentence with the value received, and what to do about it.

    Code 1 is a mistake in what was asked for; the other codes stand above. Only cli.py catches it.
    """

    def __init__(self, message: str, hint: str = "", *, code: int = 1):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class DataError(DlcliError):
    """The user's data cannot be used as it is (exit code 3)."""

    def __init__(self, message: str, hint: str = ""):
        super().__init__(message, hint, code=DATA)


def allowing(share: float) -> str:
    """The option that lets such a share of files or lines be left out."""
    return "--skip-bad" if share <= SKIPPED else f"--set data.unreadable={math.ceil(1000 * share) / 1000:g}"


def counted(n: int, noun: str) -> str:
    """ "1 epoch", "2 epochs"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def some(names, limit: int = 3) -> str:
    """Name the first few of many: 'a.jpg, b.jpg, c.jpg and 4 more'."""
    names = [str(name) for name in names]
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
