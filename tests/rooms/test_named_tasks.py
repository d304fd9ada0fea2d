"""The named tasks on the real data: what is dropped, what is kept, what is said of it."""

import json
import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest
from rooms.tables import parquet

from smalltune.core.plugins import load, names
from smalltune.models.loading import load_tokeniser
from smalltune.models.sources import locate_file

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BIBLIOGRAPHY = ROOT / "src" / "smalltune" / "paper" / "references.bib"
NAMED = [name for name in names("smalltune.tasks") if load("smalltune.tasks", name).hub]
EMBEDDED = [name for name in names("smalltune.tasks") if load("smalltune.tasks", name).files]
LABELLED = [name for name in NAMED if hasattr(load("smalltune.tasks", name)(), "labels")]

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real data in ../shared/data")


def split(name, folder, train, test, dev=None):
    files = {"train": [DATA / folder / f"{train}.parquet"], "test": [DATA / folder / test]}
    if dev:
        files["dev"] = [DATA / folder / dev]
    return load("smalltune.tasks", name)().split(files)


def groups(splits):
    return [{row.group for row in part} for part in (splits.train, splits.dev, splits.test)]


def apart(sets):
    train, dev, test = sets
    return not (train & dev or train & test or dev & test)


@pytest.fixture(scope="module")
def sst2():
    return split("sst2", "glue_sst2", "train", "validation.parquet")


@pytest.mark.parametrize("name", [*NAMED, *EMBEDDED])
def test_a_named_task_says_what_a_data_card_wants_to_know(name):
    task = load("smalltune.tasks", name)
    for said in (task.title, task.language, task.licence, task.about):
        assert said.strip()
    assert task().prompt
    assert all(getattr(task(), "labels", {"": "a free text"}).values())
    sizes, whom, limits = task.about.partition("To be chosen")
    assert re.search(r"\d{3}", sizes) and whom
    assert limits.count(".") >= 2  # why, and then what to beware of


@pytest.mark.parametrize("name", NAMED)
def test_a_task_of_the_hub_says_where_it_lies_and_whose_it_is(name):
    task = load("smalltune.tasks", name)
    assert re.fullmatch(r"https://\S+", task.link)
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", source) for source in task.hub)
    assert {"train", "test"} <= set(task.splits) <= set(task.roles)
    assert f"{{{task.citation}," in BIBLIOGRAPHY.read_text()


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_task_says_where_its_data_card_is_and_how_many_rows_there_are(name):
    task = load("smalltune.tasks", name)
    assert (ROOT / task.link).is_file()
    for ref in task.files.values():
        rows = locate_file(ref).read_text().splitlines()
        items = {json.loads(row).get("facts", row) for row in rows}
        assert {str(len(rows)), str(len(items))} & set(re.findall(r"\d+", task.about))


@pytest.mark.parametrize("name", LABELLED)
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


@needs_data
def test_no_passage_of_boolq_is_in_two_splits():
    splits = split("boolq", "boolq", "train_1886_subset", "validation.parquet")
    assert apart(groups(splits)) and len(splits.test) == 3_270 and len(splits.dev) == 500
    assert splits.dropped == {
        "train rows repeated in test": 1,
        "train rows whose passage is in test": 294,
    }
    assert {row.label for row in splits.test} == {"no", "yes"}


@needs_data
def test_the_48_articles_of_squad_are_parted_and_each_answer_is_in_its_passage():
    splits = split("squad", "squad", "validation", "validation.parquet")
    articles = groups(splits)
    assert apart(articles) and [len(each) for each in articles] == [35, 5, 8]
    assert len(splits.train) + len(splits.dev) + len(splits.test) == 10_570
    assert len(splits.dev) >= 1000 and len(splits.test) >= 2000
    for row in splits.train[::10] + splits.test[::10]:
        assert all(answer in row.fields["context"] for answer in row.references)
    assert all(len(row.references) == 1 for row in splits.train)
    assert max(len(row.references) for row in splits.test) > 3


@needs_data
def test_a_test_dialogue_has_its_three_summaries():
    splits = split("dialogsum", "dialogsum", "train", "test.parquet", "validation.parquet")
    assert (len(splits.dev), len(splits.test)) == (493, 500)
    keys = [{row.key for row in part} for part in (splits.train, splits.dev, splits.test)]
    assert apart(keys)
    assert {len(row.references) for row in splits.dev} == {1}
    assert Counter(len(row.references) for row in splits.test) == {3: 490, 2: 10}
    assert splits.dropped == {
        "train rows repeated in test": 1,
        "train rows repeated in dev": 59,
        "dev rows repeated in test": 7,
    }


@needs_data
def test_the_texts_of_one_meaning_representation_are_one_item():
    splits = split(
        "e2e_nlg", "e2e_nlg", "train_reconstructed", "test.parquet", "validation.parquet"
    )
    assert (len(splits.train), len(splits.dev), len(splits.test)) == (42_061, 547, 630)
    keys = [{row.key for row in part} for part in (splits.train, splits.dev, splits.test)]
    assert apart(keys) and len(keys[2]) == 630
    table = pyarrow.parquet.read_table(DATA / "e2e_nlg" / "test.parquet").to_pylist()
    texts = {(row["meaning_representation"], row["human_reference"].strip()) for row in table}
    assert sum(len(row.references) for row in splits.test) == len(texts) > 4_500


@needs_data
def test_alpaca_is_parted_by_its_words():
    splits = split("alpaca", "alpaca", "train_5000_subset", "train_5000_subset.parquet")
    assert (len(splits.dev), len(splits.test)) == (500, 500)
    keys = [{row.key for row in part} for part in (splits.train, splits.dev, splits.test)]
    assert apart(keys)
    assert splits.dropped == {"train rows without a text or an answer": 2}


COLUMNS = {
    "cnn_dailymail": {"article": "text", "highlights": "summary", "id": "hash"},
    "xsum": {"document": "text", "summary": "summary", "id": "number"},
}


@pytest.mark.parametrize("name", COLUMNS)
def test_summaries_are_read_from_files_with_the_hubs_columns(tmp_path, tiny_folder, name):
    files = {}
    for role, count in (("train", 30), ("dev", 5), ("test", 5)):
        rows = [
            {c: f"The {what} of {role} {n}.\nIt goes on." for c, what in COLUMNS[name].items()}
            for n in range(count)
        ]
        if role == "train":
            rows[3] = dict.fromkeys(rows[3], "")
        files[role] = [parquet(tmp_path / f"{role}.parquet", rows)]
    task = load("smalltune.tasks", name)()
    splits = task.split(files)
    assert (len(splits.train), len(splits.dev), len(splits.test)) == (29, 5, 5)
    assert splits.dropped == {"train rows without a text or an answer": 1}
    tokeniser = load_tokeniser(tiny_folder)
    encoded = task.encode(splits.test, tokeniser, length=256, chat=False)
    whole = tokeniser.decode(encoded.segments[0][1:-1])
    text, reference = splits.test[0].fields[task.text], splits.test[0].references[0]
    assert whole == f"{task.prompt.format_map({task.text: text})} {reference}"
