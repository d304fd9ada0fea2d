import numpy as np
from overlap import Hashes, Known, Seen, grams, words

TEXT = [f"word{i}" for i in range(40)]


def known(**sets):
    return Known(sets, Hashes())


def hits(index, sequence):
    return index.hits(index.hashes.of(sequence))


def test_words_are_compared_without_case_accents_and_punctuation():
    assert words("Café -- don't, DO n't!") == words("cafe don't don't")
    assert words("that 's it") == words("That's it.")


def test_thirteen_shared_words_are_found_where_they_stand_and_twelve_are_not():
    index = known(quiz=[" ".join(TEXT[10:23])], other=[" ".join(TEXT[30:] + ["else"] * 9)])
    found = hits(index, TEXT)
    assert list(found) == ["quiz"]
    assert np.flatnonzero(found["quiz"]).tolist() == list(range(10, 23))
    assert hits(index, TEXT[:22]) == {}


def test_a_text_of_eight_words_counts_as_a_whole_and_one_of_seven_not():
    index = known(eight=[" ".join(TEXT[:8])], seven=[" ".join(TEXT[:7])])
    assert list(hits(index, TEXT)) == ["eight"]
    assert hits(index, TEXT[:7] + TEXT[9:]) == {}


def test_the_order_of_words_counts():
    index = known(quiz=[" ".join(TEXT[:13])])
    assert hits(index, TEXT[:13][::-1]) == {}


def test_hits_are_those_of_comparing_word_for_word():
    rng = np.random.default_rng(0)
    text = [f"w{i}" for i in rng.integers(0, 3, size=3000)]
    quiz = [f"w{i}" for i in rng.integers(0, 3, size=3000)]
    index = known(quiz=[" ".join(quiz)])
    runs = {tuple(quiz[i : i + 13]) for i in range(len(quiz) - 12)}
    expected = np.zeros(len(text), dtype=bool)
    for i in range(len(text) - 12):
        if tuple(text[i : i + 13]) in runs:
            expected[i : i + 13] = True
    assert expected.any()
    np.testing.assert_array_equal(hits(index, text)["quiz"], expected)


def test_what_went_by_is_remembered_and_new_text_is_not_taken_for_it():
    seen, hashes = Seen(bits=20), Hashes()
    first, second = (grams(hashes.of([f"{p}{i}" for i in range(300)])) for p in "ab")
    assert seen.share(first) == 0
    seen.add(first)
    assert seen.share(first) == 1
    assert seen.share(second) < 0.05
    assert seen.share(grams(hashes.of(["few", "words"]))) == 0
