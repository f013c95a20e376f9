"""Tokenizers and vocabularies."""

import json

import numpy as np
import pytest

from dlcli import text
from dlcli.errors import DlcliError
from dlcli.text import PADDING, UNKNOWN, Tokenizer

TEXTS = ["The cat sat on the mat.", "The dog doesn't sit;  it's 3.5 years old!\n"]


@pytest.mark.parametrize("kind", ["char", "byte-pair"])
def test_text_comes_back_exactly(kind):
    """Characters and byte pairs lose nothing, spaces and line ends included."""
    tokenizer = Tokenizer.learn(kind, TEXTS, size=300)
    for one in TEXTS:
        assert tokenizer.decode(tokenizer.encode(one)) == one


def test_byte_pairs_know_every_text():
    """Any Unicode text can be written in bytes, and each character is counted once."""
    tokenizer = Tokenizer.learn("byte-pair", TEXTS, size=280)
    strange = "héllo 中文\t\U0001f600 \x00"
    ids = tokenizer.encode(strange)
    assert UNKNOWN not in ids
    assert tokenizer.decode(ids) == strange
    assert tokenizer.characters()[ids].sum() == len(strange)


def test_the_most_frequent_pair_is_merged_first():
    """ "aaabdaaabac" is the example of the article on byte pairs: aa first, then with b."""
    learned = Tokenizer.learn("byte-pair", ["aaabdaaabac"], size=259).vocabulary
    assert learned[256] == "aa"
    assert learned[257:] in (["ab", "aaab"], ["aab", "aaab"])


def test_byte_pairs_shorten_the_text():
    """Words that come again and again become one token each, with the space before them."""
    tokenizer = Tokenizer.learn("byte-pair", ["to be or not to be that is the question " * 20], size=400)
    assert len(tokenizer.encode(" question to be")) == 3


def test_words_are_lower_case_and_clitics_apart():
    """The Penn Treebank's way, on raw text and on text that was already split."""
    assert text.words("I don't think IT'S 3.5% – can’t!") == (
        ["i", "do", "n't", "think", "it", "'s", "3.5", "%", "–", "ca", "n't", "!"]
    )
    assert text.words("do n't Australia 's") == ["do", "n't", "australia", "'s"]
    assert text.words("中国人 état") == ["中", "国", "人", "état"]


def test_the_vocabulary_is_the_most_frequent_words_in_a_fixed_order():
    """By frequency, then by name; what is left out becomes 1."""
    tokenizer = Tokenizer.learn("word", ["b a a c", "c b a"], size=2)
    assert tokenizer.vocabulary == ["a", "b"]
    assert tokenizer.encode("a b c d").tolist() == [2, 3, UNKNOWN, UNKNOWN]
    assert Tokenizer.learn("word", ["a a b"], at_least=2).vocabulary == ["a"]


def test_a_vocabulary_survives_json():
    """What a run directory holds gives the same ids."""
    for kind in text.KINDS:
        tokenizer = Tokenizer.learn(kind, TEXTS, size=300)
        again = Tokenizer(kind, json.loads(json.dumps(list(tokenizer.vocabulary))))
        np.testing.assert_array_equal(again.encode(TEXTS[1]), tokenizer.encode(TEXTS[1]))


def test_rows_are_padded_on_the_right():
    """0 fills up, long rows are cut, and a row of nothing is one unknown token."""
    x = text.padded([np.array([5, 6]), np.array([7, 8, 9, 4]), np.array([], int)], 3)
    np.testing.assert_array_equal(x, [[5, 6, PADDING], [7, 8, 9], [UNKNOWN, PADDING, PADDING]])


def test_an_unknown_tokenizer_is_named():
    """The error lists what there is."""
    with pytest.raises(DlcliError, match="'wordpiece'") as error:
        Tokenizer.learn("wordpiece", TEXTS)
    assert "byte-pair" in error.value.hint
