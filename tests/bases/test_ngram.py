from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from ngram import KneserNey, discounts_of, packed

VOCABULARY = 6


def toy(n, seed=0):
    """Return a few texts of a toy language: a token is likely to be followed by its successor."""
    rng = np.random.default_rng(seed)
    texts = []
    for _ in range(4):
        text = [0]
        for _ in range(n):
            near = rng.random() < 0.6
            text.append((text[-1] + 1) % 5 if near else int(rng.integers(0, 5)))
        texts.append(np.array(text, dtype=np.int32))
    return texts


class ByHand:
    """The same model, written with dictionaries from the formulas of Chen and Goodman."""

    def __init__(self, texts, vocabulary, order):
        self.vocabulary, self.order = vocabulary, order
        top = Counter()
        for text in texts:
            padded = [None] * (order - 2) + list(map(int, text))
            for end in range(max(order - 1, 1), len(padded)):
                top[tuple(padded[end - order + 1 : end + 1])] += 1
        self.counts = {order: top}
        for k in range(order - 1, 0, -1):
            before = defaultdict(set)
            for gram in self.counts[k + 1]:
                before[gram[1:]].add(gram[0])
            self.counts[k] = {gram: len(seen) for gram, seen in before.items()}
        self.discounts = {
            k: discounts_of(np.array(list(c.values()))) for k, c in self.counts.items()
        }

    def probability(self, gram):
        k = len(gram)
        if k == 0:
            return 1 / self.vocabulary
        lower = self.probability(gram[1:])
        following = {g: c for g, c in self.counts[k].items() if g[:-1] == gram[:-1]}
        if not following:
            return lower
        take = self.discounts[k]
        total = sum(following.values())
        freed = sum(take[min(c, 3)] for c in following.values())
        count = following.get(gram, 0)
        return (count - take[min(count, 3)] + freed * lower) / total


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_model_is_that_of_the_formulas(order):
    texts = toy(60)
    model, other = KneserNey(texts, VOCABULARY, order), ByHand(texts, VOCABULARY, order)
    (text,) = toy(40, seed=1)[:1]
    padded = [None] * (order - 2) + text.tolist()
    ends = range(len(padded) - len(text) + 1, len(padded))
    expected = [other.probability(tuple(padded[e - order + 1 : e + 1])) for e in ends]
    np.testing.assert_allclose(np.exp(model.log_probs([text])[0]), expected, rtol=1e-12)


def test_the_discounts_differ_from_the_usual_ones_where_there_is_text_enough():
    levels = KneserNey(toy(400), VOCABULARY, 4).levels
    assert any(not np.array_equal(level.discounts, [0, 0.5, 1, 1.5]) for level in levels)


def test_after_every_context_the_probabilities_add_up_to_one():
    model = KneserNey(toy(60), VOCABULARY, 3)
    for context in product(range(VOCABULARY), repeat=2):
        texts = [np.array([*context, w], dtype=np.int32) for w in range(VOCABULARY)]
        total = sum(float(np.exp(values[-1])) for values in model.log_probs(texts))
        assert total == pytest.approx(1, abs=1e-12), context


def test_a_token_that_was_never_seen_has_a_probability():
    model = KneserNey(toy(60), VOCABULARY)
    unseen = np.array([0, VOCABULARY - 1, VOCABULARY - 1], dtype=np.int32)
    assert np.isfinite(model.log_probs([unseen])[0]).all()


def test_counts_of_counts_give_the_discounts_of_the_paper():
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4] * 1)
    y = 8 / (8 + 2 * 4)
    expected = [0, 1 - 2 * y * 4 / 8, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2]
    np.testing.assert_allclose(discounts_of(counts), expected)


def test_five_tokens_of_a_large_vocabulary_are_told_apart():
    rng = np.random.default_rng(0)
    text = rng.integers(0, 4096, size=300).astype(np.int32)
    grams = packed([text[:100], text[100:]], 4096, 5)
    windows = {tuple(text[i : i + 5]) for i in range(296)}
    assert len(grams) == 298
    assert len(set(grams.tolist())) == len(grams) <= len(windows) + 8
    with pytest.raises(ValueError, match="do not fit"):
        packed([text], 40_000, 5)


def test_a_text_like_the_training_text_is_more_probable_than_noise():
    texts = toy(300)
    model = KneserNey(texts, VOCABULARY)
    like, noise = toy(100, seed=5)[0], np.random.default_rng(0).integers(0, 5, 100, dtype=np.int32)
    likely, unlikely = model.log_probs([like, noise])
    assert (len(likely), len(unlikely)) == (100, 99)
    assert likely.mean() > unlikely.mean() + 0.2
