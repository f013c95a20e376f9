"""Where to cut: shares of the splits, series by time, documents by position."""

from dlcli.data import Examples, Span
from dlcli.errors import DataError, some

# Series as in the forecasting literature; the first 90 % of one text as in char-rnn and nanoGPT.
FRACTIONS = {
    "small": (0.7, 0.15, 0.15),
    "large": (0.8, 0.1, 0.1),
    "series": (0.7, 0.1, 0.2),
    "document": (0.9, 0.05, 0.05),
}


def shares_of(sizes, wanted, default: str) -> dict[str, float]:
    """Fractions of what is to be divided, by split; they need not add up to 1."""
    values = dict(zip(("train", "val", "test"), sizes or FRACTIONS[default], strict=True))
    if sizes and sum(sizes) > 1 + 1e-9:
        return {name: values[name] for name in wanted}
    total = 1 if len(wanted) == 3 else sum(values[name] for name in wanted)
    return {name: values[name] / total for name in wanted}


def by_time(whole: Examples, wanted, sizes, given, warnings, *, least: int = 0) -> dict[str, Examples]:
    """Every series in consecutive parts. Targets do not overlap; earlier rows are history.

    least: rows of each part after the first, where no sizes are given and the series has so many.
    """
    made: dict[str, list[Span]] = {name: [] for name in wanted}
    horizon = max((span.stop - span.start for span in given["test"].x), default=0) if "test" in given else 0
    short, unused = [], 0
    for span in whole.x:
        rows = span.stop - span.start
        if sizes is None and horizon and wanted == ("train", "val"):
            # as long as what the test split asks for, if so much history is left
            counts = {"train": rows - horizon, "val": horizon} if rows >= 3 * horizon else {"train": rows, "val": 0}
        else:
            shares = shares_of(sizes, wanted, "series")
            if sum(shares.values()) > 1 + 1e-9:
                counts = {name: int(share) for name, share in shares.items()}
            else:
                counts = {name: int(share * rows) for name, share in shares.items()}
                if abs(sum(shares.values()) - 1) < 1e-9:
                    # as in the literature: train and test are rounded down, validation has the rest
                    middle = "val" if "val" in wanted else wanted[-1]
                    counts[middle] += rows - sum(counts.values())
                if sizes is None:
                    counts = _lengthened(counts, least)
        if sum(counts.values()) > rows:
            asked = sum(counts.values())
            raise DataError(f"series {span.name!r} has {rows} rows, fewer than the {asked} of data.parts.")
        if not counts.get("val", 1):
            short.append(span.name)
        unused += rows - sum(counts.values())
        begin = span.start
        for name in wanted:
            if counts[name]:
                made[name].append(Span(span.values, begin, begin + counts[name], span.name, span.times))
            begin += counts[name]
    if short:
        warnings.append(f"{len(short)} of {len(whole)} series are too short to be validated on: {some(short)}")
    if unused:
        warnings.append(f"{unused} rows at the end of the series are in no split")
    return {name: Examples(x=spans, names=[span.name for span in spans]) for name, spans in made.items()}


def _lengthened(counts: dict[str, int], least: int) -> dict[str, int]:
    """Later parts of at least so many rows; rather no validation than no test, and twice as many to train on."""
    rows = sum(counts.values())
    for without in ((), ("val",)):
        later = {name: max(count, least) for name, count in counts.items() if name != "train" and name not in without}
        if later and rows - sum(later.values()) >= 2 * least:
            return {"train": rows - sum(later.values()), **dict.fromkeys(without, 0), **later}
    return counts


def by_position(whole: Examples, wanted, sizes) -> dict[str, Examples]:
    """Each document cut at the same fractions of its characters: train first, test last."""
    made: dict[str, tuple[list, list]] = {name: ([], []) for name in wanted}
    shares = shares_of(sizes, wanted, "document")
    for i, text in enumerate(whole.x):
        if sum(shares.values()) > 1 + 1e-9:
            lengths = {name: int(share) for name, share in shares.items()}
            if sum(lengths.values()) > len(text):
                raise DataError(f"document {i + 1} has {len(text)} characters, fewer than data.parts asks for.")
        else:
            lengths, begin = {}, 0.0
            for name, share in shares.items():
                lengths[name] = int(round((begin + share) * len(text), 6)) - int(round(begin * len(text), 6))
                begin += share
        begin = 0
        for name, length in lengths.items():
            if length:
                made[name][0].append(text[begin : begin + length])
                made[name][1].append(whole.names[i] if whole.names is not None else f"document {i + 1}")
            begin += length
    return {name: Examples(x=texts, names=names) for name, (texts, names) in made.items()}
