"""How scores and differences are said."""

from dlcli.comparing.paired import Difference

# Scores that are shares and said in points of a hundred.
SHARES = {"accuracy"}


def value(score: str, number: float) -> str:
    """A score for a table."""
    return f"{number:.4f}" if score in SHARES else f"{number:.4g}"


def amount(score: str, number: float, *, signed: bool = True) -> str:
    """A difference of scores, without its unit."""
    number = 100 * number if score in SHARES else number
    shown = f"{number:+.2f}" if score in SHARES else f"{number:+.3g}"
    return shown if signed else shown.lstrip("+-")


def difference(score: str, found: Difference) -> str:
    """ "+3.10 ± 0.42"."""
    return f"{amount(score, found.value)} ± {amount(score, found.half, signed=False)}"


def unit(score: str) -> str:
    """What a difference is counted in."""
    return f"points of {score}" if score in SHARES else f"of {score.replace('_', ' ')}"
