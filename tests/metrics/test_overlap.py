"""BLEU, chrF and ROUGE against sacreBLEU and rouge-score, of whole corpora and of halves."""

import importlib.metadata
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from metrics.made import METRICS, gold, value
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import corpus_bleu, corpus_chrf

from smalltune.core.errors import EngineError
from smalltune.metrics import Gold

DIALOGSUM = Path(__file__).parents[3] / "shared" / "data" / "dialogsum" / "test.parquet"
SENTENCE = "The cat , sat on a mat . It's 3.5 km from old Town's running rivers !"
LIBRARY = {"bleu": corpus_bleu, "chrf": corpus_chrf}


def corpus(seed: int, items: int = 12) -> tuple[list[str], list[list[str]]]:
    """Return texts and one to three references each; references share words with their text."""
    rng = np.random.default_rng(seed)

    def text(longest: int) -> list[str]:
        return rng.choice(SENTENCE.split(), rng.integers(0, longest)).tolist()

    texts = [text(15) for _ in range(items)]
    references = [
        [
            " ".join([*said[: rng.integers(0, 9)], *text(9), "end"])
            for _ in range(rng.integers(1, 4))
        ]
        for said in texts
    ]
    return [" ".join(said) for said in texts], references


def library(name: str, texts: list[str], references: list[list[str]]) -> float:
    """Return sacreBLEU's corpus score; a missing reference is None."""
    return float(LIBRARY[name](texts, list(zip_longest(*references))).score / 100)


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("seed", range(25))
def test_the_value_over_all_items_is_the_corpus_score(name, seed):
    texts, references = corpus(seed)
    expected = library(name, texts, references)
    assert value(name, texts, gold(references)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("seed", range(5))
def test_a_resampled_value_is_the_corpus_score_of_those_items(name, seed):
    texts, references = corpus(seed, items=40)
    stats = METRICS[name].items(texts, gold(references))
    drawn = np.random.default_rng(seed).integers(0, 40, 40)
    expected = library(name, [texts[i] for i in drawn], [references[i] for i in drawn])
    assert float(METRICS[name].combine(stats[drawn].mean(axis=0))) == pytest.approx(expected)


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize(
    "texts",
    [
        ["", ""],
        ["the", "mat"],
        ["zzz zzz zzz zzz", "qqq"],
        ["the cat sat on", "zz"],
        ["the cat", "a"],
    ],
)
def test_short_empty_and_wholly_other_texts_score_as_in_the_library(name, texts):
    """Smoothing (no run of four in common), no run of four at all, no word in common, no word."""
    references = [["the cat sat at the mat"], ["a long mat"]]
    expected = library(name, texts, references)
    assert value(name, texts, gold(references)) == pytest.approx(expected, abs=1e-12)


def test_the_references_themselves_score_one():
    _, references = corpus(0)
    texts = [known[-1] for known in references]
    for name in ("bleu", "chrf", "rouge1", "rougeL", "rougeLsum"):
        assert value(name, texts, gold(references)) == pytest.approx(1.0)


def test_a_worked_example_of_bleu():
    """Papineni's "the the the": counts are clipped. With ten words said and ten asked there is no
    brevity penalty: 5/10 words, 3/9 pairs, 2/8 threes, 1/7 fours are right.
    """
    found = METRICS["bleu"].items(["a b c d e v w x y z"], gold([["a b c d k e l m n o"]]))
    assert found[0].tolist() == [10, 10, 5, 3, 2, 1, 10, 9, 8, 7, 1]
    expected = (5 / 10 * 3 / 9 * 2 / 8 * 1 / 7) ** 0.25
    assert float(METRICS["bleu"].combine(found[0])) == pytest.approx(expected)
    clipped = METRICS["bleu"].items(["the the the"], gold([["the cat the mat"]]))
    assert clipped[0, 2] == 2


def test_signatures_name_the_library_the_options_and_the_references():
    one, two = gold([["a"], ["b"]]), gold([["a"], ["b", "c"]])
    version = importlib.metadata.version("sacrebleu")
    bleu, chrf = METRICS["bleu"], METRICS["chrf"]
    assert bleu.signature(one) == (
        f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    )
    assert bleu.signature(two).startswith("nrefs:var|")
    assert chrf.signature(one) == (
        f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}"
    )
    assert "stemmer:porter" in METRICS["rougeL"].signature(one)
    assert METRICS["rougeL"].signature(one).endswith(importlib.metadata.version("rouge-score"))
    assert METRICS["accuracy"].signature(one) == ""


@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL", "rougeLsum"])
def test_rouge_is_the_mean_of_the_packages_f_in_the_best_reference(kind):
    texts, references = corpus(1)
    texts[0], references[0] = "One line .\nTwo lines .", ["Two lines .\nOne line .", "Three"]
    scorer = RougeScorer([kind], use_stemmer=True)
    best = [
        max(scorer.score(right, text)[kind].fmeasure for right in known)
        for text, known in zip(texts, references, strict=True)
    ]
    assert value(kind, texts, gold(references)) == pytest.approx(np.mean(best))


@pytest.mark.parametrize("text", ["привет мир", "今天", "É", "Straße", "the end", "7"])
@pytest.mark.parametrize("kind", ["rouge1", "rougeL", "rougeLsum", "chrf", "token_f1"])
def test_a_metric_says_of_which_references_it_can_count_nothing(kind, text):
    found = value(kind, [text], gold([[text]]))
    assert bool(METRICS[kind].blind_to([text])) == (found == 0)
    assert not METRICS[kind].blind_to([])


@pytest.mark.parametrize(
    ("texts", "blind"),
    [
        (["привет мир", "one word"], True),  # 7 of 16 letters
        (["привет мир", "one word more"], False),
        (["до 7"], True),
        ([":-)"], True),
        (["élève à l'école"], False),
    ],
)
def test_rouge_is_blind_where_it_counts_less_than_half_of_the_letters(texts, blind):
    assert bool(METRICS["rougeL"].blind_to(texts)) == blind
    assert not METRICS["chrf"].blind_to(texts)


def test_worked_examples_of_rouge():
    # Lin (2004): reference "police killed the gunman"; the second text keeps no order.
    asked = gold([["police killed the gunman"]])
    assert value("rougeL", ["police kill the gunman"], asked) == pytest.approx(1.0)  # stemmed
    assert value("rougeL", ["the gunman kill police"], asked) == pytest.approx(0.5)
    assert value("rouge2", ["the gunman police killed"], asked) == pytest.approx(2 / 3)
    # Sentences in another order: the same by sentences, half by the whole.
    asked = gold([["one two three\nfour five six"]])
    assert value("rougeLsum", ["four five six\none two three"], asked) == pytest.approx(1.0)
    assert value("rougeL", ["four five six\none two three"], asked) == pytest.approx(0.5)


def test_an_item_without_references_is_named():
    with pytest.raises(EngineError, match="the item 'x' has no reference text"):
        METRICS["bleu"].items(["a"], [Gold("x")])


def test_three_references_of_real_summaries_score_as_in_the_libraries():
    if not DIALOGSUM.exists():
        pytest.skip("DialogSum is not at ../shared/data/dialogsum")
    import pyarrow.parquet as pq

    rows = pq.read_table(DIALOGSUM).to_pylist()[:150]
    texts = [row["summary3"] for row in rows]
    references = [[row["summary"], row["summary2"]] for row in rows]
    for name in LIBRARY:
        expected = library(name, texts, references)
        assert value(name, texts, gold(references)) == pytest.approx(expected, abs=1e-12)
        assert 0.1 < expected < 0.9
