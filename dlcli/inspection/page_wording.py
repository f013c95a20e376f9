"""Numbers, sizes and shapes of the page as people read them; None where there is nothing to say."""

import math


def amount(value) -> str | None:
    """12345678 -> "12.3 M"."""
    if not is_number(value):
        return None
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,700 is 1 M, not 1000 k
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def count(value) -> str | None:
    """78042 -> "78,042"."""
    return f"{int(value):,}" if is_number(value) else None


def bytes_of(value) -> str | None:
    """65536 -> "65.5 kB"."""
    text = amount(value)
    if text is None:
        return None
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def fraction(value) -> str | None:
    """0.4417 -> "0.44"; a minus sign is never left on a zero."""
    if not is_number(value):
        return None
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def number(value) -> str | None:
    """Any number of any size with three digits; text and truth values as they are."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not is_number(value):
        return None if isinstance(value, float) else str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.3g}"


def interval(value, low, high) -> str | None:
    """2.1, 1.8, 2.4 -> "2.10 (1.80 to 2.40)"."""
    text = fraction(value)
    if text is None or not (is_number(low) and is_number(high)):
        return text
    return f"{text} ({fraction(low)} to {fraction(high)})"


def shape(value) -> str | None:
    """[None, 32, 32, 3] -> "32 × 32 × 3": the batch is left out. A dict or a list of shapes: one after another."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {shape(item) or 'unknown'}" for key, item in value.items()) or None
    if not isinstance(value, list | tuple):
        return number(value)
    if any(isinstance(item, list | tuple | dict) for item in value):
        return "; ".join(shape(item) or "unknown" for item in value)
    sizes = value[1:] if value and value[0] is None else value
    return " × ".join("any" if size is None else str(size) for size in sizes) or "one number"


def is_number(value) -> bool:
    """An int or a finite float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
