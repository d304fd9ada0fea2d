"""Generation: which references, what is learned, where a text is cut, what is written."""

import json

import numpy as np
import pytest
from rooms.tables import table

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plugins import load
from smalltune.data.splits import Row
from smalltune.models.lines import has_words, line_ends, read_answer, read_text, thought_of
from smalltune.models.loading import load_tokeniser

ROWS = [{"t": f"facts of item {n}", "s": f"summary {n}"} for n in range(40)]


@pytest.fixture(scope="module")
def tokeniser(tiny_folder):
    return load_tokeniser(tiny_folder)


def own(**options):
    made = {"text": "t", "reference": "s", "prompt": "{t}\nSummary:", "longest": 16}
    return load("smalltune.tasks", "generation")(**made | options)


def split(tmp_path, train, test, **options):
    files = {"train": [table(tmp_path / "a.jsonl", train)]}
    files["test"] = [table(tmp_path / "b.jsonl", test)]
    return own(dev={"rows": 4}, **options).split(files)


def test_train_has_a_row_for_each_reference_and_test_an_item_with_all(tmp_path):
    train = [{"t": f"facts {n}", "s": [f"one {n}", f"two {n}"]} for n in range(20)]
    test = [{"t": "others", "s": "c"}, {"t": "others", "s": "b"}, {"t": "others", "s": "c"}]
    splits = split(tmp_path, train, test)
    assert [row.references for row in splits.test] == [("c", "b")]
    assert all(len(row.references) == 1 for row in splits.train)
    assert all(len(row.references) == 2 for row in splits.dev)
    assert len(splits.train) + 2 * len(splits.dev) == 40
    assert len({row.id for row in splits.train}) == len(splits.train)
    apart = split(tmp_path, train, test, merge=False)
    assert [row.references for row in apart.test] == [("c",), ("b",), ("c",)]
    first = split(tmp_path, train, test, learn="first")
    assert {row.references[0].split()[0] for row in first.train} == {"one"}


def test_references_are_found_in_several_columns_and_within_one(tmp_path):
    test = [{"t": "x", "s": "a", "s2": "b"}, {"t": "y", "s": "a", "s2": None}]
    splits = split(tmp_path, ROWS, test, reference=("s", "s2"))
    assert [row.references for row in splits.test] == [("a", "b"), ("a",)]
    nested = [{"t": row["t"], "s": {"text": [row["s"], "other"]}} for row in ROWS]
    splits = split(tmp_path, nested, [{"t": "x", "s": {"text": ["a"]}}], reference="s.text")
    assert {len(row.references) for row in splits.dev} == {2}


def test_rows_without_text_or_reference_are_dropped_and_counted(tmp_path):
    train = [*ROWS, {"t": "", "s": "x"}, {"t": "y", "s": " "}, {"t": None, "s": "z"}]
    splits = split(tmp_path, train, [{"t": "other", "s": "x"}])
    assert splits.dropped["train rows without a text or an answer"] == 3
    with pytest.raises(DataError, match=r"row 41: the column 't' holds 7, which is no text"):
        split(tmp_path, [*ROWS, {"t": 7, "s": "x"}], [{"t": "other", "s": "x"}])
    with pytest.raises(DataError, match="row 1: the column 's' holds 7, which is no text"):
        split(tmp_path, ROWS, [{"t": "other", "s": 7}])


def test_references_that_look_like_lists_are_remarked_on_and_read_as_they_are(tmp_path):
    test = [{"t": f"other {n}", "s": f'["a", "b {n}"]'} for n in range(3)]
    splits = split(tmp_path, ROWS, test)
    assert splits.test[0].references == ('["a", "b 0"]',)
    assert splits.notes == [
        "the references of test are written as lists, and each is read as one text"
    ]
    assert split(tmp_path, ROWS, [*test, {"t": "another", "s": "a"}]).notes == []


def test_rows_of_the_same_text_are_never_in_two_splits(tmp_path):
    train = [{"t": f"facts {n // 4}", "s": f"said {n}"} for n in range(80)]
    splits = split(tmp_path, train, [{"t": "Facts 3!", "s": "x"}])
    texts = [{row.key for row in part} for part in (splits.train, splits.dev, splits.test)]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    assert splits.dropped == {"train rows repeated in test": 4}
    assert len(splits.train) + 4 * len(splits.dev) == 76


def test_one_file_is_parted_in_three_by_group(tmp_path):
    rows = [{"t": f"text {n}", "s": "x", "g": f"article {n // 5}"} for n in range(100)]
    path = [table(tmp_path / "a.jsonl", rows)]
    task = own(group="g", dev={"rows": 10}, test={"rows": 18})
    splits = task.split({"train": path, "test": path})
    groups = [{row.group for row in part} for part in (splits.train, splits.dev, splits.test)]
    assert [len(each) for each in groups] == [14, 2, 4]
    assert len(set.union(*groups)) == 20
    again = task.split({"train": path, "test": path})
    assert [row.id for row in again.test] == [row.id for row in splits.test]
    with pytest.raises(DataError, match="every row of it is repeated in test"):
        own(group="g").split({"train": path, "test": path})


def test_what_is_learned_is_the_reference_and_the_end(tokeniser):
    task = own()
    encoded = task.encode(
        [Row("a", {"t": "some facts"}, "", ("a short text",))], tokeniser, length=64, chat=False
    )
    answers = task.answers(tokeniser, chat=False)
    learned, begin = task.training(encoded.segments, answers)[0], encoded.segments.answers[0]
    assert tokeniser.decode(learned[1:begin]) == "some facts\nSummary:"
    assert tokeniser.decode(learned[begin:-1]) == " a short text"
    assert learned[-1] == answers.tokens[0][0] == tokeniser.eos_token_id
    assert learned[1:-1].tolist() == tokeniser.encode(
        "some facts\nSummary: a short text", add_special_tokens=False
    )


def test_a_long_reference_is_learned_up_to_its_room_without_an_end(tokeniser):
    rows = [Row("a", {"t": "facts"}, "", ("word " * 40,)), Row("b", {"t": "facts"}, "", ("a",))]
    encoded = own().encode(rows, tokeniser, length=64, chat=False)
    assert encoded.counts == {"answers_cut": 1}
    first, second = encoded.segments[0], encoded.segments[1]
    assert len(first) - encoded.segments.answers[0] == 16
    assert tokeniser.eos_token_id not in first[1:] and second[-1] == tokeniser.eos_token_id


def test_a_prompt_is_cut_alike_whatever_its_reference_is(tokeniser):
    texts = ["word " * 200, "facts"]
    both = []
    for reference in ("a", "word " * 30):
        rows = [Row(str(i), {"t": t}, "", (reference,)) for i, t in enumerate(texts)]
        encoded = own().encode(rows, tokeniser, length=64, chat=False)
        begins = encoded.segments.answers
        both.append([encoded.segments[i][:begin].tolist() for i, begin in enumerate(begins)])
        assert encoded.truncated == 1 and begins.max() <= 64 - 16
    assert both[0] == both[1]


def test_an_answer_that_is_cut_away_is_counted_and_not_learned(tokeniser):
    task = own(text=("t", "q"), prompt="{t}\n{q}\nAnswer:", uncut=("q",), extractive=True)
    question = "where is the golden key of the old castle"
    rows = [
        Row("a", {"t": "Paris " + "word " * 200, "q": question}, "", ("Paris",)),
        Row("b", {"t": "word " * 200 + "Paris", "q": question}, "", ("Paris",)),
        Row("c", {"t": "word " * 9 + "Paris", "q": question}, "", ("London",)),
    ]
    encoded = task.encode(rows, tokeniser, length=64, chat=False)
    assert encoded.counts == {"answers_cut": 0, "answers_lost": 1} and encoded.truncated == 2
    asked = [tokeniser.decode(encoded.segments[i]) for i in range(3)]
    assert all(question in each for each in asked)
    learned = task.training(encoded.segments, task.answers(tokeniser, chat=False))
    assert [tokeniser.decode(learned[i]) for i in range(len(learned))] == [asked[0], asked[2]]


def test_no_room_for_a_prompt_is_an_error(tokeniser):
    with pytest.raises(StudyError, match="64 tokens of answer leave no room for a prompt in 64"):
        own(longest=64).encode([], tokeniser, length=64, chat=False)
    with pytest.raises(StudyError, match="longest must be at least 2"):
        own(longest=1)
    with pytest.raises(StudyError, match="uncut: 'q' is no text column"):
        own(uncut=("q",))


def test_a_chat_model_learns_the_end_of_its_turn(tokeniser, monkeypatch):
    monkeypatch.setattr(
        tokeniser,
        "chat_template",
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|endoftext|>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}",
    )
    rows = [Row("a", {"t": "facts"}, "", ("a <|endoftext|> text",))]
    encoded = own().encode(rows, tokeniser, length=64, chat=True)
    assert encoded.segments[0].tolist().count(tokeniser.eos_token_id) == 2
    assert tokeniser.decode(encoded.segments[0]) == (
        "<user>facts\nSummary:<|endoftext|><assistant>a < |endoftext|> text<|endoftext|>"
    )


def test_a_line_ends_at_breaks_and_not_at_full_stops(tokeniser):
    ends = line_ends(tokeniser)
    written = [tokeniser.decode([i]) for i in ends]
    assert "\n" in written
    assert all(not text.strip() and {"\n", "\r"} & {*text} for text in written)
    ids = tokeniser.encode(" A line.\nAnother\n", add_special_tokens=False)
    assert read_text(tokeniser, ids, line=True) == "A line."
    assert read_text(tokeniser, ids, line=False) == "A line.\nAnother"


def test_a_line_is_over_whatever_token_its_break_is_in(tokeniser):
    for text, over in ((" A line.\nAnother", True), (" A line.\n", True), ("\n\n A line", False)):
        ids = tokeniser.encode(text, add_special_tokens=False)
        assert read_answer(tokeniser, ids, line=True) == (text.strip().split("\n")[0], over)
        assert read_answer(tokeniser, ids, line=False) == (text.strip(), False)


def test_an_output_without_a_word_is_no_answer(tokeniser, tiny, monkeypatch):
    from smalltune.engine import generation

    texts = (" ...", " -- !\n", "", " 7.", " \u03a9!", " so\n")
    said = [
        generation.Generated(tuple(tokeniser.encode(t, add_special_tokens=False)), not n % 2, -1.0)
        for n, t in enumerate(texts)
    ]
    monkeypatch.setattr(generation, "generate", lambda *args, **options: said)
    task = own(stop="line")
    rows = [Row(str(i), {"t": "facts"}, "", ("a text",)) for i in range(len(said))]
    encoded = task.encode(rows, tokeniser, length=64, chat=False)
    how = {"decoding": task.decoding_options(), "tokeniser": tokeniser}
    found = list(task.predict(tiny, encoded.segments, task.answers(tokeniser, chat=False), **how))
    assert [row["predicted"] for row in found] == [None, None, None, "7.", "\u03a9!", "so"]
    assert [row["text"] for row in found] == ["...", "-- !", "", "7.", "\u03a9!", "so"]
    assert [row["ended"] for row in found] == [True, True, True, False, True, True]


def test_what_is_written_does_not_see_the_references(tokeniser, tiny):
    task, said = own(), []
    for reference in ("a text", "quite another one, and longer"):
        rows = [Row(str(i), {"t": "facts " * i}, "", (reference,)) for i in range(1, 5)]
        encoded = task.encode(rows, tokeniser, length=64, chat=False)
        found = task.predict(
            tiny,
            encoded.segments,
            task.answers(tokeniser, chat=False),
            decoding=task.decoding_options(),
            tokeniser=tokeniser,
        )
        said.append(list(found))
    assert said[0] == said[1] and len(said[0]) == 4
    for row in said[0]:
        assert set(row) == {"text", "ended", "log_prob", "predicted"}
        assert row["predicted"] == (row["text"] if has_words(row["text"]) else None)
        assert row["log_prob"] < 0
        json.dumps(row)


def test_a_model_that_learned_an_answer_writes_it_and_ends(tokeniser, tiny):
    import torch

    task = own(stop="line")
    rows = [Row("a", {"t": "facts"}, "", ("the end",)), Row("b", {"t": "more"}, "", ("a start",))]
    encoded = task.encode(rows, tokeniser, length=64, chat=False).segments
    answers = task.answers(tokeniser, chat=False)
    lessons = task.training(encoded, answers)
    tiny.requires_grad_(True)
    optimiser = torch.optim.Adam(tiny.parameters(), lr=5e-3)
    for _ in range(80):
        for i in range(len(lessons)):
            ids = torch.from_numpy(lessons[i].astype(np.int64))[None]
            targets = ids.clone()
            targets[:, : lessons.answers[i]] = -100
            tiny(input_ids=ids, labels=targets).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    tiny.eval()
    options = {"decoding": task.decoding_options(), "tokeniser": tokeniser}
    for beams in (1, 3):
        options["decoding"]["beams"] = beams
        said = list(task.predict(tiny, encoded, answers, **options))
        assert [row["text"] for row in said] == ["the end", "a start"]
        assert all(row["ended"] for row in said)


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("<think>\n\n</think>\n\nParis.\nA city.", "<think>\n\n</think>\n\n"),
        ("\n<think>Is it </think> Paris.\nA city.", "\n<think>Is it </think> "),
        ("<think>Paris. But", "<think>Paris. But"),
        ("Paris.\nA city.", ""),
        ("Paris. <think>Or not?</think>", ""),
    ],
)
def test_in_a_chat_a_block_of_reasoning_is_no_part_of_the_answer(tokeniser, text, thought):
    assert thought_of(text) == thought
    ids = tokeniser.encode(text, add_special_tokens=False)
    rest = text.removeprefix(thought).strip()
    assert read_text(tokeniser, ids, line=False, chat=True) == rest
    assert read_text(tokeniser, ids, line=True, chat=True) == rest.partition("\n")[0]
    assert read_text(tokeniser, ids, line=False) == text.strip()


def test_what_is_judged_of_a_chats_text_stands_behind_its_reasoning(tokeniser, monkeypatch):
    from types import SimpleNamespace

    from smalltune.engine import generation

    texts = ["<think>Hm, a sum.</think>\n\na summary", "<think>Hm, a"]
    ids = [tokeniser.encode(text, add_special_tokens=False) for text in texts]
    said = [SimpleNamespace(tokens=each, ended=True, log_prob=-1.0) for each in ids]
    monkeypatch.setattr(generation, "generate", lambda *args, **options: said)
    task, rows = own(), [Row(str(n), {"t": "facts"}, "", ("a summary",)) for n in range(2)]
    encoded = task.encode(rows, tokeniser, length=64, chat=False).segments
    answers, how = task.answers(tokeniser, chat=False), task.decoding_options()
    chat = {**how, "thoughts": "left out"}
    found = list(task.predict(None, encoded, answers, decoding=chat, tokeniser=tokeniser))
    assert [row["predicted"] for row in found] == ["a summary", None]
    assert [row["text"] for row in found] == ["a summary", ""]
    plain = list(task.predict(None, encoded, answers, decoding=how, tokeniser=tokeniser))
    assert [row["text"] for row in plain] == texts
