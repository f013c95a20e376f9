"""Text of the user's own: character, word, place, ending, class, previous, line, sentence, topic."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dlcli.stimuli import _corpus, _cut
from dlcli.stimuli._corpus import Corpus
from dlcli.stimuli._cut import FEWEST
from dlcli.stimuli._level import Level

CLASSES = 4
PLACES = 4  # letters of a word that are counted
BLOCKS = 10  # per part of the corpus
FIRST = 3  # words of a sentence before its place is asked for: its start shall not be in plain sight


def levels(
    texts: list[str],
    *,
    length: int,
    n: int = 400,
    seed: int = 0,
    labels: Sequence | None = None,
    letters: bool = False,
) -> list[Level]:
    """Levels from low to high, each of at most n windows of the text of at most `length` characters.

    No annotation and no tokenizer is needed: `position` is the character whose token carries the label.
    From `previous` on, each class has each current word equally often, so the token that is read says
    nothing. `labels` are the classes of the documents, if there are any; else the topic is the part
    of the corpus. What the text has too few words for is left out.
    letters: the model reads single characters, so it can be asked in the middle of a word.
    """
    corpus = Corpus(texts, length)
    inside = {"place": _place, "ending": _ending} if letters else {}
    makers = {"character": _character, "word": _word, **inside, "class": _class, "previous": _previous}
    makers |= {"line": _line, "sentence": _sentence, "topic": lambda *asked: _topic(*asked, labels)}
    # the seeds of a level are its own: another level more or less changes no stimuli
    made = [make(corpus, n, np.random.default_rng([seed, *name.encode()])) for name, make in makers.items()]
    return [level for level in made if level is not None]


def _character(corpus, n, rng):
    """Which of the most frequent letters it is."""
    letters = [c for c, _ in Counter(corpus.text).most_common(100) if c.isalpha()][:8]
    codes = corpus.codes()
    inside = np.zeros(len(codes) + 1, dtype=int)
    some = corpus.readable()
    np.add.at(inside, corpus.starts[some], 1)
    np.add.at(inside, corpus.ends[some], -1)
    at = np.flatnonzero(np.cumsum(inside)[:-1] > 0)
    y = np.full(len(at), -1)
    for label, letter in enumerate(letters):
        y[codes[at] == ord(letter)] = label
    rows = _cut.balanced(y, np.zeros_like(y), len(letters), n, rng)
    before = np.unique(codes[np.maximum(at - 1, 0)], return_inverse=True)[1]
    return _cut.level("character", corpus, at[rows], y[rows], letters, before[rows])


def _word(corpus, n, rng):
    """Which of the most frequent words of three letters and more ends here."""
    chosen = [i for i, word in enumerate(corpus.words) if len(word) >= 3][:12]
    chosen = [i for i in chosen if (corpus.readable() & (corpus.ids == i)).sum() >= FEWEST]
    y = np.where(corpus.readable(), _cut.index(corpus, chosen)[corpus.ids], -1)
    rows = _cut.balanced(y, np.zeros_like(y), len(chosen), n, rng)
    names = [corpus.words[i] for i in chosen]
    return _cut.level("word", corpus, corpus.ends[rows] - 1, y[rows], names, corpus.previous[rows].clip(-1, 48) + 1)


def _place(corpus, n, rng):
    """How many letters of a longer word have been read, the last one being the same in all classes."""
    length = corpus.ends - corpus.starts
    some = [np.flatnonzero(corpus.readable() & (length > k + 1)) for k in range(PLACES)]
    at = np.concatenate([corpus.starts[words] + k for k, words in enumerate(some)])
    y = np.repeat(np.arange(PLACES), [len(words) for words in some])
    letter = corpus.codes()[at].astype(int)
    rows = _cut.balanced(y, letter, PLACES, n, rng)
    return _cut.level("place", corpus, at[rows], y[rows], [f"letter {k + 1}" for k in range(PLACES)], letter[rows])


def _ending(corpus, n, rng):
    """Whether the word ends here, for words that were not learned from: the letter and its place say nothing.

    Who knows it knows words, since what follows is not to be seen by a causal model.
    """
    length = corpus.ends - corpus.starts
    some = [np.flatnonzero(corpus.readable() & (length > k)) for k in range(1, PLACES + 2)]
    words = np.concatenate(some)
    place = np.repeat(np.arange(1, PLACES + 2), [len(one) for one in some])
    at = corpus.starts[words] + place
    ends = (length[words] == place + 1).astype(int)
    token = corpus.codes()[at].astype(int) * (PLACES + 2) + place
    rows = _cut.balanced(ends, token, 2, n, rng, spread=corpus.ids[words])
    group = corpus.ids[words][rows]
    return _cut.level("ending", corpus, at[rows], ends[rows], ("goes on", "ends"), token[rows], group=group)


def _class(corpus, n, rng):
    """Which kind of word ends here, for words that were not learned from."""
    kinds = _corpus.clusters(corpus, CLASSES, rng)
    y = np.full(len(corpus.words) + 1, -1)
    y[: len(kinds)] = kinds
    y = np.where(corpus.readable(), y[corpus.ids], -1)
    # the last letter must not tell the class: each class gets each ending equally often
    endings = np.unique([word[-1] for word in corpus.words], return_inverse=True)[1] if corpus.words else np.empty(0)
    some = corpus.ids < len(kinds)
    ending = np.where(some, endings[np.where(some, corpus.ids, 0)], -1) if len(endings) else corpus.ids
    rows = _cut.balanced(y, ending, CLASSES, n, rng, spread=corpus.ids)
    names = [_examples(corpus, np.flatnonzero(kinds == k)) for k in range(CLASSES)]
    words = corpus.ids[rows]
    return _cut.level("class", corpus, corpus.ends[rows] - 1, y[rows], names, words, group=words)


def _examples(corpus, words):
    return "/".join(corpus.words[i] for i in words[:3])


def _previous(corpus, n, rng):
    """Which word was the one before, the current one being the same in all classes.

    Of the most frequent words those eight are taken that the most words in common follow.
    """
    pool, table = _followers(corpus, 24)
    while len(pool) > 8 or (len(pool) > 4 and table.min(axis=0).sum() < n // len(pool)):
        rest = [np.delete(table, k, axis=0).min(axis=0).sum() for k in range(len(pool))]
        worst = len(rest) - 1 - int(np.argmax(rest[::-1]))  # the rarest of equals
        pool, table = np.delete(pool, worst), np.delete(table, worst, axis=0)
    y = np.where(corpus.readable() & (corpus.previous >= 0), _cut.index(corpus, pool)[corpus.previous], -1)
    rows = _cut.balanced(y, corpus.ids, len(pool), n, rng)
    names = [corpus.words[i] for i in pool]
    return _cut.level("previous", corpus, corpus.ends[rows] - 1, y[rows], names, corpus.ids[rows])


def _followers(corpus, count):
    """The most frequent words (P,), and how often each is followed by each word: (P, words)."""
    pool = np.arange(min(count, len(corpus.words)))
    table = np.zeros((len(pool), len(corpus.words)), dtype=int)
    some = corpus.readable() & (corpus.previous >= 0) & (corpus.previous < len(pool))
    np.add.at(table, (corpus.previous[some], corpus.ids[some]), 1)
    return pool, table


def _line(corpus, n, rng):
    """How many characters ago the line began, in four bins of equal size; for texts with lines of one width."""
    breaks = np.flatnonzero(corpus.codes() == ord("\n"))
    begin = np.concatenate([[0], breaks + 1])[np.searchsorted(breaks, corpus.starts)]
    words_before = np.arange(len(corpus.ids)) - np.searchsorted(corpus.starts, begin)
    column = corpus.ends - begin
    some = corpus.readable() & (column <= corpus.length - corpus.after) & (words_before >= FIRST)
    if len(breaks) < FEWEST or some.sum() < len(some) / 4:
        return None
    edges = np.unique(np.quantile(column[some], [0.25, 0.5, 0.75]).astype(int))
    y = np.where(some, np.searchsorted(edges, column, side="left"), -1)
    lows = [int(column[some].min()), *(edges + 1)]
    names = [f"{low}–{high}" for low, high in zip(lows, edges, strict=False)] + [f"{lows[-1]} and more"]
    rows = _cut.balanced(y, corpus.ids, len(names), n, rng)
    return _cut.level("line", corpus, corpus.ends[rows] - 1, y[rows], names, corpus.ids[rows])


def _sentence(corpus, n, rng):
    """How many words ago the sentence began, in four bins of equal size.

    Brackets and quotes are rare or missing in much text, and the end of a sentence lies in the
    future, which a causal model can only guess; where a sentence began is known in any text.
    """
    start = corpus.starts[np.maximum(np.arange(len(corpus.ids)) - corpus.since + 1, 0)]
    seen = corpus.ends - start <= corpus.length - corpus.after
    some = corpus.readable() & seen & (corpus.since > FIRST)
    if not some.any():
        return None
    edges = np.unique(np.quantile(corpus.since[some], [0.25, 0.5, 0.75]).astype(int))
    y = np.where(some, np.searchsorted(edges, corpus.since, side="left"), -1)
    lows = [FIRST + 1, *(edges + 1)]
    names = [f"{low}–{high}" for low, high in zip(lows, edges, strict=False)] + [f"{lows[-1]} and more"]
    rows = _cut.balanced(y, corpus.ids, len(names), n, rng)
    return _cut.level("sentence", corpus, corpus.ends[rows] - 1, y[rows], names, corpus.ids[rows])


def _topic(corpus, n, rng, labels):
    """Which part of the corpus, or class of the document, it is, read at function words."""
    count = len(corpus.ids)
    if labels is None:
        block = np.arange(count) * CLASSES * BLOCKS // max(count, 1)
        part, names = block // BLOCKS, [f"part {k + 1} of {CLASSES}" for k in range(CLASSES)]
        if not _differ(corpus, block):
            return None
    else:
        kinds = [kind for kind, _ in Counter(map(str, labels)).most_common(8)]
        of_document = np.array([kinds.index(str(kind)) if str(kind) in kinds else -1 for kind in labels])
        block, part, names = corpus.document, of_document[corpus.document], kinds
    y = np.where(corpus.readable() & (corpus.ids < 20), part, -1)
    rows = _cut.balanced(y, corpus.ids, len(names), n, rng)
    return _cut.level("topic", corpus, corpus.ends[rows] - 1, y[rows], names, corpus.ids[rows], group=block[rows])


def _differ(corpus, block):
    """Whether blocks of the corpus are like the other blocks of their part, by the words in them.

    Documents in random order have parts, but no topics.
    """
    if len(corpus.ids) < CLASSES * BLOCKS * 50:
        return False
    table = np.zeros((CLASSES * BLOCKS, min(2000, len(corpus.words))))
    some = corpus.ids < table.shape[1]
    np.add.at(table, (block[some], corpus.ids[some]), 1)
    table = np.sqrt(table / table.sum(axis=1, keepdims=True))
    table -= table.mean(axis=0)
    likeness = table @ table.T
    np.fill_diagonal(likeness, 0)
    likeness = likeness.reshape(-1, CLASSES, BLOCKS).sum(axis=2)
    own = np.arange(CLASSES * BLOCKS) // BLOCKS
    likeness[np.arange(len(own)), own] *= BLOCKS / (BLOCKS - 1)
    return (likeness.argmax(axis=1) == own).mean() >= 0.5
