"""One contract for every task that brings its own data, and the rules of classification."""

import json
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plugins import load, names
from smalltune.data.splits import DevRule, Row, carve, draw
from smalltune.kinds import Task
from smalltune.measures.slots import compare, parse, values_of
from smalltune.models.loading import load_tokeniser
from smalltune.models.sources import locate_file

TASKS = [load("smalltune.tasks", name) for name in names("smalltune.tasks")]
EMBEDDED = [task for task in TASKS if task.files]


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.__name__)
def test_its_fields_decide_the_splits_or_the_prompt_or_the_answer(task):
    import dataclasses

    assert issubclass(task, Task) and not task.__subclasses__()
    fields = {field.name for field in dataclasses.fields(task)}
    deciding = (*task.data_fields, *task.prompt_fields, *task.decoding_fields)
    writes = getattr(task, "judged", "text") == "text"
    assert set(deciding) == fields - (set() if writes else {"beams", "length_penalty", "stop"})


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.__name__)
def test_it_is_scored_by_metrics_that_there_are(task):
    assert task.metrics
    assert {*task.metrics, *task.more_metrics} <= set(names("smalltune.metrics"))
    assert not set(task.metrics) & set(task.more_metrics)


@pytest.mark.parametrize("task", EMBEDDED, ids=lambda t: t.__name__)
def test_embedded_data_split_without_leaks_and_are_read_whole(task, tiny_folder):
    made = task()
    splits = made.split({role: [locate_file(ref)] for role, ref in made.files.items()})
    words = {
        name: {row.words for row in getattr(splits, name)} for name in ("train", "dev", "test")
    }
    assert not words["train"] & words["test"]
    assert not words["train"] & words["dev"]
    assert not words["dev"] & words["test"]
    tokeniser = load_tokeniser(tiny_folder)
    encoded = made.encode(splits.test, tokeniser, length=512, chat=False)
    assert encoded.truncated == 0
    assert len(encoded.segments) == len(splits.test)
    asked = encoded.segments[0][1 : encoded.segments.answers[0]]
    assert tokeniser.decode(asked) == made.prompt.format_map(splits.test[0].fields)


def test_the_reviews_are_balanced_varied_and_share_no_eight_words():
    rows = []
    for split in ("train", "dev", "test"):
        path = locate_file(f"embedded:reviews/{split}.jsonl")
        rows += [json.loads(line) | {"split": split} for line in path.read_text().splitlines()]
    assert len(rows) >= 600
    for split in ("train", "dev", "test"):
        labels = Counter(row["label"] for row in rows if row["split"] == split)
        assert labels["positive"] == labels["negative"]
        assert len({row["domain"] for row in rows if row["split"] == split}) == 16
    owner = {}
    for row in rows:
        words = Row(row["id"], {"text": row["text"]}, "").words
        for start in range(len(words) - 7):
            run = words[start : start + 8]
            assert owner.setdefault(run, row["id"]) == row["id"], run


def test_the_walks_say_their_facts_and_no_name_is_in_two_splits():
    rows = {}
    for split in ("train", "dev", "test"):
        path = locate_file(f"embedded:walks/{split}.jsonl")
        rows[split] = [json.loads(line) for line in path.read_text().splitlines()]
    facts = {split: [parse(row["facts"]) for row in each] for split, each in rows.items()}
    values = values_of([one for each in facts.values() for one in each])
    for split, each in rows.items():
        assert len({row["text"] for row in each}) == len(each)
        for row, known in zip(each, facts[split], strict=True):
            assert 3 <= len(known) <= 8
            assert compare(known, row["text"], values).count == 0, row
    names_in = [{known["name"] for known in each} for each in facts.values()]
    assert sum(map(len, names_in)) == len(set.union(*names_in)) > 80


def test_the_walks_are_what_their_program_makes(tmp_path):
    program = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "walks.py"))
    program["main"](tmp_path)
    for split in ("train", "dev", "test"):
        made = (tmp_path / f"{split}.jsonl").read_bytes()
        assert made == locate_file(f"embedded:walks/{split}.jsonl").read_bytes()


def own(**options):
    made = {"text": "t", "label": "y", "labels": {"0": "bad", "1": "good"}, "prompt": "{t}\nIt is"}
    return load("smalltune.tasks", "classification")(**made | options)


def table(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


SOME = [{"t": f"text number {i}", "y": i % 2} for i in range(40)]


def test_a_label_outside_the_label_words_is_named_with_its_row(tmp_path):
    path = table(tmp_path / "train.jsonl", [*SOME, {"t": "x", "y": 7}])
    message = f"{path}, row 41: the label 7 is not among the study's labels: 0, 1. "
    with pytest.raises(DataError) as error:
        own().split({"train": [path], "test": [path]})
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("hidden", [-1, None])
def test_a_split_whose_labels_are_hidden_is_named(tmp_path, hidden):
    path = table(tmp_path / "train.jsonl", SOME)
    rows = [{"t": f"unseen {i}", "y": hidden} for i in range(3)]
    test = table(tmp_path / "test.jsonl", rows)
    with pytest.raises(DataError) as error:
        own().split({"train": [path], "test": [test]})
    assert str(error.value) == (
        f"{test}: the labels of the test split are hidden (each is {hidden!r}), so it cannot be "
        "used: name another split under `splits:`, such as validation"
    )
    table(test, [*rows, {"t": "seen", "y": 1}])
    with pytest.raises(DataError, match=r"no label|the label -1 is not among"):
        own().split({"train": [path], "test": [test]})
    named = own(labels={"-1": "bad", "0": "so so", "1": "good"}, dev={"rows": 8})
    if hidden == -1:
        table(test, rows)
        assert len(named.split({"train": [path], "test": [test]}).test) == 3


def test_a_missing_column_is_named_with_the_columns_there_are(tmp_path):
    path = table(tmp_path / "train.jsonl", SOME)
    with pytest.raises(DataError) as error:
        own(text="body", prompt="{body} is").split({"train": [path], "test": [path]})
    assert str(error.value) == f"{path}: no column 'body'; the columns are: t, y"


def test_a_dev_split_larger_than_train_is_an_error(tmp_path):
    path = table(tmp_path / "train.jsonl", SOME)
    test = table(tmp_path / "test.jsonl", [{"t": "Text number 3!", "y": 1}])
    with pytest.raises(DataError, match="dev wants 39 of 39 rows and leaves none to train on"):
        own(dev={"rows": 39}).split({"train": [path], "test": [test]})


def test_one_file_as_train_and_test_is_an_error(tmp_path):
    path = table(tmp_path / "train.jsonl", SOME)
    with pytest.raises(DataError, match="every row of it is repeated in test"):
        own().split({"train": [path], "test": [path]})


def test_dev_rows_that_repeat_test_rows_are_dropped_and_counted(tmp_path):
    train = table(tmp_path / "train.jsonl", SOME)
    dev = table(
        tmp_path / "dev.jsonl",
        [{"t": "one of dev", "y": 0}, {"t": "another", "y": 1}, SOME[5], {"t": "third", "y": 0}],
    )
    test = table(tmp_path / "test.jsonl", [{"t": "Another!", "y": 1}, SOME[9]])
    files = {"train": [train], "dev": [dev], "test": [test]}
    splits = own().split(files)
    assert [row.fields["t"] for row in splits.dev] == ["one of dev", SOME[5]["t"], "third"]
    assert splits.dropped == {
        "train rows repeated in test": 1,
        "dev rows repeated in test": 1,
        "train rows repeated in dev": 1,
    }
    with pytest.raises(DataError, match=r"dev.jsonl: every row of it is repeated in test.*for dev"):
        own().split(files | {"test": [dev]})


def test_dev_rows_of_a_group_that_is_in_test_are_dropped_and_counted(tmp_path):
    def rows(name, groups):
        return table(
            tmp_path / f"{name}.jsonl",
            [{"t": f"{name} {n}", "y": n % 2, "g": g} for n, g in enumerate(groups)],
        )

    files = {"train": [rows("train", "aabbccddee")], "dev": [rows("dev", "bbcxx")]}
    splits = own(group="g").split(files | {"test": [rows("test", "cxyy")]})
    assert [row.group for row in splits.dev] == ["b", "b"]
    assert [row.group for row in splits.train] == list("aaddee")
    assert splits.dropped == {
        "train rows whose g is in test": 2,
        "dev rows whose g is in test": 3,
        "train rows whose g is in dev": 2,
    }


def test_a_test_split_that_is_carved_takes_its_rows_out_of_dev_too(tmp_path):
    train = table(tmp_path / "train.jsonl", SOME)
    dev = table(tmp_path / "dev.jsonl", [*SOME[:30], {"t": "apart", "y": 0}])
    files = {"train": [train], "dev": [dev], "test": [train]}
    splits = own(test={"rows": 10}).split(files)
    keys = [{row.key for row in part} for part in (splits.train, splits.dev, splits.test)]
    assert len(keys[2]) == 10 and not keys[1] & keys[2] and not keys[0] & keys[1]
    assert splits.dropped["dev rows repeated in test"] == 31 - len(splits.dev) > 0


def test_an_empty_split_is_an_error(tmp_path):
    train, test = table(tmp_path / "train.jsonl", SOME), table(tmp_path / "test.jsonl", [])
    with pytest.raises(DataError) as error:
        own().split({"train": [train], "test": [test]})
    assert str(error.value) == f"{test}: the test split is empty: give a file with rows"


def test_a_prompt_without_its_column_is_an_error():
    with pytest.raises(StudyError, match=r"the prompt 'It is' must hold exactly \{t\}"):
        own(prompt="It is")


def test_a_column_may_have_any_name(tmp_path, tiny_folder):
    name = "body.text (te{x}t) [0]"
    rows = [{name: f"text {i}", "y": i % 2} for i in range(20)]
    path = table(tmp_path / "train.jsonl", rows)
    task = own(text=name, prompt=f"{{{name}}}\nIt is", dev={"rows": 4})
    splits = task.split(
        {"train": [path], "test": [table(tmp_path / "test.jsonl", [{name: "another one", "y": 1}])]}
    )
    tokeniser = load_tokeniser(tiny_folder)
    encoded = task.encode(splits.test, tokeniser, length=64, chat=False)
    assert tokeniser.decode(encoded.segments[0][1:]) == "another one\nIt is"


def test_an_id_that_occurs_twice_is_named_with_both_rows(tmp_path):
    path = table(tmp_path / "train.jsonl", [row | {"n": i % 30} for i, row in enumerate(SOME)])
    with pytest.raises(DataError) as error:
        own(id="n").split({"train": [path], "test": [path]})
    assert str(error.value) == f"{path}, row 31: the id '0' is that of row 1 too"


def test_train_rows_that_repeat_test_rows_are_dropped_and_counted(tmp_path):
    train = table(tmp_path / "train.jsonl", SOME)
    test = table(tmp_path / "test.jsonl", [{"t": "Text number 3!", "y": 1}])
    splits = own(dev={"rows": 10}).split({"train": [train], "test": [test]})
    assert (len(splits.train) + len(splits.dev), len(splits.dev)) == (39, 10)
    assert splits.dropped["train rows repeated in test"] == 1


def test_a_carved_dev_holds_no_row_of_test(tmp_path):
    train = table(tmp_path / "train.jsonl", SOME)
    test = table(tmp_path / "test.jsonl", SOME[:36])
    splits = own(dev={"rows": 2}).split({"train": [train], "test": [test]})
    assert {row.fields["t"] for row in splits.dev} < {row["t"] for row in SOME[36:]}
    assert splits.dropped["train rows repeated in test"] == 36


def test_the_files_of_a_role_are_read_as_one(tmp_path):
    whole = table(tmp_path / "whole.jsonl", SOME)
    parts = [table(tmp_path / "1.jsonl", SOME[:15]), table(tmp_path / "2.jsonl", SOME[15:])]
    test = [table(tmp_path / "test.jsonl", [{"t": "another", "y": 1}])]
    task = own(dev={"rows": 10})
    one = task.split({"train": [whole], "test": test})
    assert task.split({"train": parts, "test": test}) == one
    assert {row.id for row in one.train + one.dev} == {f"train-{n}" for n in range(1, 41)}


def test_an_id_that_occurs_in_two_files_is_named_with_both(tmp_path):
    one = table(tmp_path / "1.jsonl", [row | {"n": i} for i, row in enumerate(SOME[:5])])
    two = table(tmp_path / "2.jsonl", [row | {"n": i + 4} for i, row in enumerate(SOME[5:9])])
    with pytest.raises(DataError) as error:
        own(id="n").split({"train": [one, two], "test": [one]})
    assert str(error.value).startswith(f"{two}, row 1: the id '4' is that of {one}, row 5 too")


def test_a_label_that_train_lacks_or_nobody_has_is_remarked_on(tmp_path):
    labels = {"0": "bad", "1": "good", "2": "fair", "3": "odd"}
    train = table(tmp_path / "train.jsonl", SOME)
    test = table(tmp_path / "test.jsonl", [{"t": "another", "y": 2}])
    splits = own(labels=labels, dev={"rows": 10}).split({"train": [train], "test": [test]})
    assert splits.notes == [
        "no row has the label odd",
        "train has no row with the label fair, which test asks for",
    ]
    assert [row.label for row in splits.test] == ["fair"]


def test_texts_without_words_are_told_apart_by_their_signs(tmp_path):
    signs = [{"t": ":-)", "y": 1}, {"t": ":-(", "y": 0}, {"t": "\N{GRINNING FACE}", "y": 1}]
    train = table(tmp_path / "train.jsonl", [*SOME, *signs])
    test = table(tmp_path / "test.jsonl", [{"t": " :-( ", "y": 0}])
    splits = own(dev={"rows": 2}).split({"train": [train], "test": [test]})
    assert splits.dropped["train rows repeated in test"] == 1
    texts = {row.fields["t"] for row in splits.train + splits.dev}
    assert {":-)", "\N{GRINNING FACE}"} < texts and ":-(" not in texts


def test_no_training_row_is_a_part_of_a_whole_dev_row():
    sentences = [f"the {a} film is {b} and long" for a in "xyzuvw" for b in ("good", "bad")]
    rows = [Row(f"s{i}", {"t": s}, s.split()[4]) for i, s in enumerate(sentences)]
    rows += [Row(f"f{i}", {"t": s.partition(" is ")[2]}, "good") for i, s in enumerate(sentences)]
    carved = carve(rows, DevRule(rows=4, whole=True))
    assert {row.id[0] for row in carved.dev} == {"s"}
    assert Counter(row.label for row in carved.dev) == {"good": 2, "bad": 2}
    spans = {" ".join(row.words) for row in carved.dev}
    assert not any(" ".join(row.words) in span for row in carved.train for span in spans)
    assert len(carved.train) + len(carved.dev) + sum(carved.dropped.values()) == len(rows)


def test_a_draw_is_stratified_and_paired_by_its_seed():
    labels = [0] * 900 + [1] * 100
    one, again, other = draw(labels, 50, 1), draw(labels, 50, 1), draw(labels, 50, 2)
    assert one.tolist() == again.tolist() != other.tolist()
    assert Counter(np.array(labels)[one].tolist()) == {0: 45, 1: 5}


def test_a_long_text_loses_its_end_and_never_the_prompts(tiny_folder):
    tokeniser = load_tokeniser(tiny_folder)
    rows = [Row("a", {"t": "word " * 500}, "good"), Row("b", {"t": "short"}, "bad")]
    encoded = own().encode(rows, tokeniser, length=64, chat=False)
    assert encoded.truncated == 1
    assert encoded.segments.lengths.max() <= 63
    assert tokeniser.decode(encoded.segments[0]).endswith("\nIt is")
    learned = own().training(encoded.segments, own().answers(tokeniser, chat=False))
    assert tokeniser.decode(learned[0]).endswith("\nIt is good")


def test_an_instruct_model_is_asked_through_its_chat_template(tiny_folder):
    tokeniser = load_tokeniser(tiny_folder)
    tokeniser.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    rows = [Row("a", {"t": "word " * 500}, "good"), Row("b", {"t": "short"}, "bad")]
    encoded = own().encode(rows, tokeniser, length=64, chat=True)
    asked = [tokeniser.decode(encoded.segments[i]) for i in range(2)]
    assert asked[1] == "<user>short\nIt is<assistant>"
    assert asked[0].startswith("<user>word word") and asked[0].endswith("\nIt is<assistant>")
    learned = own().training(encoded.segments, own().answers(tokeniser, chat=True))
    assert tokeniser.decode(learned[1]) == "<user>short\nIt is<assistant>bad"


def test_text_comes_apart_into_pieces_that_predict_each_token_once(tmp_path, tiny_folder):
    documents = [{"text": f"document {i} " * (20 + i)} for i in range(60)]
    path = table(tmp_path / "a.jsonl", [*documents, documents[0]])
    task = load("smalltune.tasks", "language_modelling")(held_out=0.2)
    splits = task.split({"a": [path]})
    assert splits.dropped == {"repeated documents": 1}
    assert len(splits.train) + len(splits.dev) + len(splits.test) == 60
    tokeniser = load_tokeniser(tiny_folder)
    encoded = task.encode(splits.dev, tokeniser, length=32, chat=False).segments
    predicted = sum(len(encoded[i]) - 1 for i in range(len(encoded)))
    texts = [row.fields["text"] for row in splits.dev]
    whole = sum(len(t) + 1 for t in tokeniser(texts, add_special_tokens=False)["input_ids"])
    assert predicted == whole


def test_the_documents_of_several_files_are_counted_through_them(tmp_path):
    documents = [{"text": f"document {i} " * 20} for i in range(60)]
    whole = table(tmp_path / "whole.jsonl", documents)
    parts = [
        table(tmp_path / "1.jsonl", documents[:20]),
        table(tmp_path / "2.jsonl", documents[20:]),
    ]
    task = load("smalltune.tasks", "language_modelling")(held_out=0.2)
    assert task.split({"a": parts}) == task.split({"a": [whole]})


def test_text_in_files_named_after_the_splits_stays_in_them(tmp_path):
    documents = [{"text": f"document {i} " * 20} for i in range(12)]
    files = {
        "train": [table(tmp_path / "train.jsonl", documents[:6] + documents[9:10])],
        "dev": [table(tmp_path / "dev.jsonl", documents[6:9])],
        "test": [table(tmp_path / "test.jsonl", documents[9:])],
    }
    splits = load("smalltune.tasks", "language_modelling")().split(files)
    found = [
        [row.fields["text"] for row in part] for part in (splits.train, splits.dev, splits.test)
    ]
    texts = [each["text"] for each in documents]
    assert found == [texts[:6], texts[6:9], texts[9:]]
    assert splits.dropped == {"repeated documents": 1}


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (("train", "test"), "there are none of 'dev'"),
        (("train", "dev"), "there are none of 'test'"),
        (("test",), "there are none of 'dev'"),
        (("books", "dev", "test", "train"), "rename 'books'"),
    ],
)
def test_no_document_of_a_held_out_file_comes_to_be_trained_on(tmp_path, roles, said):
    files = {
        role: [table(tmp_path / f"{role}.jsonl", [{"text": f"{role} {i}"} for i in range(9)])]
        for role in roles
    }
    task = load("smalltune.tasks", "language_modelling")(held_out=0.2)
    with pytest.raises(DataError, match=said):
        task.split(files)
    assert said in task.odd_roles(roles)


def test_an_empty_split_of_running_text_is_named_with_its_file(tmp_path):
    files = {
        role: [table(tmp_path / f"{role}.jsonl", [{"text": f"{role}"}] * (role != "dev"))]
        for role in ("train", "dev", "test")
    }
    task = load("smalltune.tasks", "language_modelling")()
    with pytest.raises(DataError, match=r"dev.jsonl: the dev split is empty: give a file with"):
        task.split(files)
    with pytest.raises(DataError, match=r"train.jsonl: the train split is empty: give more|larger"):
        task.split({"books": [tmp_path / "train.jsonl"]})
