"""The named tasks on the real data: what is dropped, what is kept, what is said of it."""

import re
from pathlib import Path

import pytest

from smalltune.core.plugins import load, names
from smalltune.models.loading import load_tokeniser

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BIBLIOGRAPHY = ROOT / "src" / "smalltune" / "paper" / "references.bib"
NAMED = [name for name in names("smalltune.tasks") if load("smalltune.tasks", name).hub]

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real data in ../shared/data")


def split(name, folder, train, test):
    files = {"train": [DATA / folder / f"{train}.parquet"], "test": [DATA / folder / test]}
    return load("smalltune.tasks", name)().split(files)


@pytest.fixture(scope="module")
def sst2():
    return split("sst2", "glue_sst2", "train", "validation.parquet")


@pytest.mark.parametrize("name", NAMED)
def test_a_named_task_says_what_a_data_card_wants_to_know(name):
    task = load("smalltune.tasks", name)
    for said in (task.title, task.language, task.licence, task.about):
        assert said.strip()
    assert re.fullmatch(r"https://\S+", task.link)
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", source) for source in task.hub)
    assert {"train", "test"} <= set(task.splits) <= set(task.roles)
    assert task().prompt
    assert f"{{{task.citation}," in BIBLIOGRAPHY.read_text()


@pytest.mark.parametrize("name", NAMED)
def test_the_words_of_a_named_tasks_labels_are_short_for_the_embedded_base(name, tiny_folder):
    answers = load("smalltune.tasks", name)().answers(load_tokeniser(tiny_folder), chat=False)
    assert max(len(tokens) for tokens in answers.tokens) <= 2


@needs_data
def test_no_training_row_of_sst2_is_a_part_of_a_dev_sentence(sst2):
    dev = [f" {row.key} " for row in sst2.dev]
    by_word = {}
    for sentence in dev:
        for word in set(sentence.split()):
            by_word.setdefault(word, []).append(sentence)
    for row in sst2.train:
        for sentence in by_word.get(row.key.split()[0] if row.key else "", ()):
            assert f" {row.key} " not in sentence
    assert len(sst2.dev) == 500
    assert sum(len(s.split()) for s in dev) / 500 > 15  # sentences, where a row has nine words
    assert len(sst2.train) + len(sst2.dev) + sum(sst2.dropped.values()) == 67_349


@needs_data
def test_sst2_counts_the_phrases_of_test_sentences_that_train_keeps(sst2):
    assert {row.label for row in sst2.test} == {"bad", "good"} and len(sst2.test) == 872
    assert not {row.key for row in sst2.train} & {row.key for row in sst2.test}
    assert any(re.match(r"\d+ train rows are a part of a test row", note) for note in sst2.notes)


@needs_data
def test_the_123_reviews_that_imdb_has_in_train_and_test_leave_train():
    splits = split("imdb", "imdb", "train", "test.parquet")
    assert splits.dropped["train rows repeated in test"] == 123
    assert len(splits.test) == 25_000


@needs_data
def test_the_texts_that_ag_news_has_in_train_and_test_leave_train():
    splits = split(
        "ag_news", "ag_news", "train_10k_description_only", "test_description_only.parquet"
    )
    test = {row.key for row in splits.test}
    kept = {row.key for row in splits.train + splits.dev}
    assert not kept & test
    assert splits.dropped["train rows repeated in test"] == 10  # rows; they are 8 texts as written
