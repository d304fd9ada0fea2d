"""Exact and near duplicates are counted as comparing every row with every other would."""

import random
from itertools import combinations, pairwise

import numpy as np
import pytest

from smalltune.data import duplicates as sketching
from smalltune.data.duplicates import BANDS, LOOK, METHOD, THRESHOLD, duplicates
from smalltune.data.splits import Row

WORDS = [f"w{n}" for n in range(300)]


def rows(name, texts):
    return [Row(f"{name}-{i}", {"t": text}, "a") for i, text in enumerate(texts)]


def changed(text, rng, places):
    words = text.split()
    for place in rng.sample(range(len(words)), places):
        words[place] = rng.choice(WORDS)
    return " ".join(words)


@pytest.fixture(scope="module")
def splits():
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 40))) for _ in range(250)]
    texts += [changed(rng.choice(texts), rng, rng.randint(0, 3)) for _ in range(350)]
    rng.shuffle(texts)
    texts += ["one", "One!", "two"]
    return {
        "train": rows("train", texts[:400]),
        "dev": rows("dev", texts[400:450]),
        "test": rows("test", texts[450:]),
    }


def pairs(key):
    words = key.split()
    return set(pairwise(words)) or {(words[0], "")}


def twin(row, others):
    """Return "exact", "near" or None, by the definition and without any shortcut."""
    if any(row.key == other.key for other in others):
        return "exact"
    mine = pairs(row.key)
    for other in others:
        theirs = pairs(other.key)
        if len(mine & theirs) >= THRESHOLD * len(mine | theirs):
            return "near"
    return None


def count(found):
    found = list(found)
    return {kind: found.count(kind) for kind in ("exact", "near")}


def test_the_counts_within_a_split_are_those_of_comparing_all_rows(splits):
    within, _ = duplicates(splits)
    for name, held in splits.items():
        plain = count(twin(row, held[:index]) for index, row in enumerate(held))
        assert within[name] == plain
    assert within["train"]["exact"] > 10 and within["train"]["near"] > 10
    assert within["test"]["exact"] > 0


def test_the_counts_across_splits_are_those_of_comparing_all_rows(splits):
    _, across = duplicates(splits)
    for one, other in combinations(splits, 2):
        plain = count(twin(row, splits[one]) for row in splits[other])
        assert across[f"{one}-{other}"] == plain
    assert across["train-test"]["exact"] > 10 and across["train-test"]["near"] > 10


def test_the_counts_do_not_depend_on_the_process():
    import subprocess
    import sys

    code = (
        "from smalltune.data.splits import Row; from smalltune.data.duplicates import duplicates;"
        "rows = [Row(str(i), {'t': ' '.join(f'w{(i * j) % 97}' for j in range(9 + i % 5))}, '')"
        " for i in range(400)]; print(duplicates({'train': rows, 'test': rows[::3]}))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1 and "exact" in said.pop()


@pytest.mark.parametrize(("between", "near"), [(LOOK - 1, 1), (LOOK, 0)])
def test_in_a_crowded_band_only_the_last_candidates_are_compared_as_the_method_says(
    between, near, monkeypatch
):
    """With one band for all rows, the twin is out of sight behind that many others."""
    monkeypatch.setattr(sketching, "_bands", lambda made: np.zeros((len(made), BANDS), np.uint64))
    rng = random.Random(7)
    others = [" ".join(rng.sample(WORDS, 12)) for _ in range(between)]
    text = " ".join(f"t{n}" for n in range(40))
    within, _ = duplicates({"train": rows("a", [text, *others, f"{text} end"])})
    assert within["train"] == {"exact": 0, "near": near}
    assert f"the last {LOOK} of a band" in METHOD


def test_a_very_long_row_and_empty_splits_are_no_trouble():
    long = " ".join(WORDS[n % 300] + str(n) for n in range(200_000))
    within, across = duplicates({"train": rows("a", [long, long + " end"]), "test": []})
    assert within == {"train": {"exact": 0, "near": 1}, "test": {"exact": 0, "near": 0}}
    assert across == {"train-test": {"exact": 0, "near": 0}}
