"""Multiple choice: the same sums as asking each choice alone, and what they are divided by."""

import numpy as np
import pytest
from rooms.tables import table

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plugins import load
from smalltune.data.choices import letter_of
from smalltune.data.splits import Row
from smalltune.models.loading import load_tokeniser

CHOICES = ("a cat", "the caf\N{LATIN SMALL LETTER E WITH ACUTE} at the corner", "no", "it rains")


@pytest.fixture(scope="module")
def tokeniser(tiny_folder):
    return load_tokeniser(tiny_folder)


def own(**options):
    made = {"text": "q", "choices": "c", "answer": "a", "prompt": "Question: {q}\nAnswer:"}
    return load("smalltune.tasks", "multiple_choice")(**made | options)


def ask(task, rows, tokeniser, model, length=64):
    encoded = task.encode(rows, tokeniser, length=length, chat=False).segments
    answers = task.answers(tokeniser, chat=False)
    how = {"decoding": task.decoding_options(), "tokeniser": tokeniser}
    return list(task.predict(model, encoded, answers, **how))


def sums_of(model, tokeniser, prompt, choices):
    """Score each choice as lm-evaluation-harness does: the whole text less the prompt's tokens."""
    import torch

    found = []
    for choice in choices:
        before = tokeniser(prompt)["input_ids"]
        whole = tokeniser(f"{prompt} {choice}")["input_ids"]
        with torch.inference_mode():
            log_probs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
        found.append(sum(float(log_probs[i - 1, whole[i]]) for i in range(len(before), len(whole))))
    return found


ROWS = [
    Row("a", {"q": "What barks?"}, "A", choices=CHOICES),
    Row("b", {"q": "And what does not, of all that there is?"}, "C", choices=CHOICES[:3]),
]


@pytest.mark.parametrize(
    ("normalise", "size"),
    [
        ("none", lambda text, ids: 1),
        ("characters", lambda text, ids: len(text)),
        ("bytes", lambda text, ids: len(text.encode())),
        ("tokens", lambda text, ids: len(ids)),
    ],
)
def test_sums_and_lengths_are_those_of_each_choice_alone(tokeniser, tiny, normalise, size):
    said = ask(own(normalise=normalise), ROWS, tokeniser, tiny)
    for row, prediction in zip(ROWS, said, strict=True):
        sums = sums_of(tiny, tokeniser, f"Question: {row.fields['q']}\nAnswer:", row.choices)
        assert prediction["sums"] == pytest.approx(sums, abs=1e-4)
        sizes = [size(c, tokeniser(f" {c}", add_special_tokens=False)["input_ids"])
                 for c in row.choices]  # fmt: skip
        scores = np.array(sums) / sizes
        assert prediction["predicted"] == "ABCD"[int(scores.argmax())]
        expected = np.array(sums) - np.log(np.exp(sums).sum())  # whatever they are divided by
        assert prediction["log_probs"][: len(sums)] == pytest.approx(expected, abs=1e-4)
        assert len(prediction["log_probs"]) == 4
        assert all(value < -1e6 for value in prediction["log_probs"][len(sums) :])


def test_a_prompt_is_computed_once_for_all_its_choices(tokeniser, tiny, monkeypatch):
    from smalltune.engine.prefixes import Prefix

    fed, plain = [], Prefix.hidden_at

    def counted(self, packed):
        fed.append(len(packed.ids))
        return plain(self, packed)

    monkeypatch.setattr(Prefix, "hidden_at", counted)
    encoded = own().encode(ROWS, tokeniser, length=64, chat=False).segments
    ask(own(), ROWS, tokeniser, tiny)
    # The border before a choice and the choice's last token, which nothing follows, are not fed.
    assert sum(fed) == len(encoded.ids) - 2 * sum(len(row.choices) for row in ROWS)


def test_what_is_learned_is_the_prompt_with_the_right_choice(tokeniser):
    task = own()
    encoded = task.encode(ROWS, tokeniser, length=64, chat=False)
    learned = task.training(encoded.segments, task.answers(tokeniser, chat=False))
    assert [tokeniser.decode(learned[i][1:]) for i in range(2)] == [
        "Question: What barks?\nAnswer: a cat",
        "Question: And what does not, of all that there is?\nAnswer: no",
    ]
    said = [tokeniser.decode(learned[i][learned.answers[i] :]) for i in range(2)]
    assert said == [" a cat", " no"] and learned.labels.tolist() == [0, 2]


def test_the_letters_are_compared_where_the_prompt_shows_the_choices(tokeniser):
    task = own(prompt="{q}\n{choices}\nAnswer:")
    encoded = task.encode(ROWS, tokeniser, length=96, chat=False)
    learned = task.training(encoded.segments, task.answers(tokeniser, chat=False))
    assert tokeniser.decode(learned[1][1:]) == (
        "And what does not, of all that there is?\n"
        f"A. {CHOICES[0]}\nB. {CHOICES[1]}\nC. {CHOICES[2]}\nAnswer: C"
    )


def test_a_long_question_loses_its_end_and_no_choice_a_letter(tokeniser):
    rows = [Row("a", {"q": "word " * 100}, "B", choices=CHOICES)]
    task = own(prompt="{q}\n{choices}\nAnswer:")
    encoded = task.encode(rows, tokeniser, length=64, chat=False)
    asked = tokeniser.decode(encoded.segments[0][: encoded.segments.answers[0]])
    assert encoded.truncated == 1 and encoded.segments.answers[0] < 64
    assert asked.endswith(f"D. {CHOICES[3]}\nAnswer:")


def test_what_does_not_fit_is_named_by_its_row(tokeniser):
    rows = [
        Row("short", {"q": "x"}, "A", choices=("a", "b")),
        Row("long", {"q": "x"}, "A", choices=("a", "b " * 60)),
    ]
    with pytest.raises(StudyError, match=r"item 'long': a choice of \d+ tokens does not fit"):
        own().encode(rows, tokeniser, length=30, chat=False)
    rows[1] = Row("wide", {"q": "x " * 80}, "A", choices=("a", "b"))
    with pytest.raises(StudyError, match="item 'wide': the prompt alone with its q does not fit"):
        own(uncut=("q",)).encode(rows, tokeniser, length=30, chat=False)


def test_an_items_prompt_does_not_depend_on_the_choices_of_its_neighbours(tokeniser):
    long = Row("long", {"q": "word " * 100}, "A", choices=("a", "b"))
    other = Row("other", {"q": "word " * 100}, "B", choices=("a", "one " * 30))
    both = own().encode([long, other], tokeniser, length=64, chat=False)
    alone = [own().encode([row], tokeniser, length=64, chat=False) for row in (long, other)]
    for i, each in enumerate(alone):
        assert both.segments[i].tolist() == each.segments[0].tolist()
        assert both.segments.answers[i] == each.segments.answers[0]
    assert both.segments.answers[0] > both.segments.answers[1] + 20
    assert both.truncated == 2 and both.lengths.tolist() == [*alone[0].lengths, *alone[1].lengths]


@pytest.mark.parametrize(
    ("answer", "options"),
    [("B", {}), (1, {}), ("1", {}), (2, {"first": 1}), ("two of them", {}), (1.0, {})],
)
def test_the_right_choice_is_a_letter_a_place_or_its_text(tmp_path, answer, options):
    rows = [{"q": f"question {n}", "c": ["one", "two of them"], "a": answer} for n in range(20)]
    train, test = table(tmp_path / "a", rows[:19]), table(tmp_path / "b", rows[19:])
    splits = own(dev={"rows": 4}, **options).split(
        {"train": [train.rename(tmp_path / "a.jsonl")], "test": [test.rename(tmp_path / "b.jsonl")]}
    )
    assert {row.label for row in splits.train + splits.dev + splits.test} == {"B"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"c": ["one", "two"], "a": 2}, "row 3: the answer 2 is none of the letters A, B, of the"),
        ({"c": ["one"], "a": 0}, "row 3: 1 choices, where 2 to 4 can be"),
        ({"c": ["one", "one"], "a": 0}, "row 3: two choices are the same text"),
        ({"c": ["one", "one "], "a": 0}, "row 3: two choices are the same text"),
        ({"c": ["one", ""], "a": 0}, r"row 3: the choices are \['one', ''\], and must be texts"),
        ({"c": list("abcde"), "a": 0}, "row 3: 5 choices, where 2 to 4 can be: raise `most`"),
    ],
)
def test_a_row_that_is_no_choice_is_named(tmp_path, row, said):
    rows = [{"q": f"question {n}", "c": ["one", "two"], "a": 0} for n in range(2)]
    path = table(tmp_path / "a.jsonl", [*rows, {"q": "another", **row}])
    with pytest.raises(DataError, match=said):
        own().split({"train": [path], "test": [path]})


def test_an_answer_that_can_be_read_in_two_ways_is_refused_and_said_how(tmp_path):
    rows = [{"q": f"{n} and 1?", "c": ["2", "3", "4"], "a": "2"} for n in range(20)]
    train, test = table(tmp_path / "a.jsonl", rows[1:]), table(tmp_path / "b.jsonl", rows[:1])
    files = {"train": [train], "test": [test]}
    with pytest.raises(DataError) as error:
        own(dev={"rows": 4}).split(files)
    assert str(error.value) == (
        f"{train}, row 1: the answer '2' can be read in two ways, as place the choice C but as "
        "text the choice A: say `answer_is: place` or `answer_is: text` in the study"
    )
    for way, letter in (("text", "A"), ("place", "C")):
        splits = own(dev={"rows": 4}, answer_is=way).split(files)
        assert {row.label for row in splits.train + splits.test} == {letter}
    with pytest.raises(
        DataError, match=r"row 1: the answer '2' is none of the letters A, B, C: mend"
    ):
        own(answer_is="letter").split(files)


def test_two_readings_that_mean_one_choice_are_no_doubt():
    assert letter_of("1", ["0", "1", "2"], 0, "here") == "B"
    assert letter_of("B", ["A", "B"], 0, "here") == "B"
    assert letter_of("b", ["yes", "no"], 0, "here") == "B"
    assert letter_of("b", ["no", "yes", "b"], 0, "here", "text") == "C"
    with pytest.raises(DataError, match="as letter the choice A but as text the choice B"):
        letter_of("A", ["B", "A"], 0, "here")


def test_how_the_answer_is_written_is_no_part_of_a_key_where_it_is_not_said():
    assert "answer_is" not in own().data_options()
    assert own(answer_is="text").data_options()["answer_is"] == "text"


def test_choices_in_columns_are_read_in_their_order(tmp_path):
    rows = [{"q": f"question {n}", "x": "one", "y": "two", "a": "two"} for n in range(20)]
    files = {
        "train": [table(tmp_path / "a.jsonl", rows[1:])],
        "test": [table(tmp_path / "b.jsonl", rows[:1])],
    }
    task = own(choices=("x", "y"), dev={"rows": 4})
    assert task.split(files).test[0] == Row(
        "test-1", {"q": "question 0"}, "B", choices=("one", "two")
    )
    assert task.labels == {"A": "A", "B": "B"}
