"""A linear model, or a count of words, says as much: what can be told is on the surface."""

ORDER = 6
SURFACE = {
    "logistic-regression": "What can be told is linear in the inputs.",
    "ridge": "What can be told is linear in the inputs.",
    "linear-forecast": "What can be forecast is linear in the last values.",
    "tfidf": "Single words and pairs tell it already; the order of the rest adds nothing that this network could use.",
    "ngram": "Counts of short runs of tokens tell as much as this network does.",
    "pca": "Principal components of the same size keep as much.",
    "seasonal-naive": "The same step of the last season tells as much.",
    "last-value": "The last value tells as much.",
}


def explain(case) -> str:
    return SURFACE.get(case.best, "")
