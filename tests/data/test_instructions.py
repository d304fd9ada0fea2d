"""Instruction data: one exchange out of each of the usual formats."""

import json

import pytest
from rooms.tables import table

from smalltune.core.errors import DataError
from smalltune.core.plugins import load
from smalltune.data.instructions import exchange
from smalltune.data.splits import Row

USER = {"role": "user", "content": "Add 1 and 1."}
REPLY = {"role": "assistant", "content": "2"}
FORMATS = {
    "alpaca": {"instruction": "Add 1 and 1.", "input": "", "output": "2"},
    "alpaca without input": {"instruction": "Add 1 and 1.", "output": " 2 "},
    "prompt": {"prompt": "Add 1 and 1.", "completion": "2"},
    "messages": {"messages": [USER, REPLY]},
    "parts": {"messages": [{**USER, "content": [{"type": "text", "text": "Add 1 and 1."}]}, REPLY]},
    "sharegpt": {
        "conversations": [
            {"from": "human", "value": "Add 1 and 1."},
            {"from": "gpt", "value": "2"},
        ]
    },
    "conversational prompt": {"prompt": [USER], "completion": [REPLY]},
    "messages as JSON": {"messages": json.dumps([USER, REPLY])},
    "prompt beside messages": {"prompt": "Add", "prompt_id": "x", "messages": [USER, REPLY]},
    "unanswered end": {"messages": [USER, REPLY, {"role": "user", "content": "And 2?"}]},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_exchange(name):
    found = exchange(FORMATS[name], "here")
    assert found[:3] == ("Add 1 and 1.", "", "2")
    assert found.turns in ((), (("user", "Add 1 and 1."),))


def test_what_was_said_before_the_last_answer_is_the_prompt():
    system = {"role": "system", "content": "Be brief."}
    raw = {"messages": [system, USER, REPLY, {**USER, "content": "And 2?"}, {**REPLY}]}
    asked, given, answer, turns = exchange(raw, "here")
    said = [("system", "Be brief."), ("user", "Add 1 and 1."), ("assistant", "2")]
    assert turns == (*said, ("user", "And 2?"))
    assert asked == "Be brief.\n\nUser: Add 1 and 1.\n\nAssistant: 2\n\nUser: And 2?"
    assert (given, answer) == ("", "2")
    assert exchange({"messages": [system, USER, REPLY]}, "here")[0] == "Be brief.\n\nAdd 1 and 1."


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"text": "x"}, "here: no instruction data: the columns are text, and must be"),
        ({"messages": [USER]}, "here: the conversation holds no question with an answer"),
        ({"messages": [REPLY]}, "here: the conversation holds no question with an answer"),
        ({"messages": [{"content": "x"}]}, "here: a turn of the conversation does not say whose"),
        (
            {"messages": "Hello!"},
            "the column 'messages' holds 'Hello!', and must hold a list",
        ),
        ({"messages": None}, "here: the column 'messages' holds None, and must hold a list"),
        (
            {"instruction": "x", "input": "", "outptu": "y"},
            "no column 'output' with the answers beside 'instruction'. Did you mean 'outptu'",
        ),
        (
            {"prompt": [USER], "chosen": [REPLY]},
            "no column 'completion' with the answers beside 'prompt'. Did you mean 'chosen'. Name",
        ),
        ({"instuction": "x", "output": "y"}, "or conversations. Did you mean 'instruction'"),
        ({"messages": ["x"]}, "here: a turn of the conversation is 'x', and must be an object"),
        (
            {"instruction": 7, "output": "x"},
            "here: the column 'instruction' holds 7, which is no text",
        ),
    ],
)
def test_what_is_no_exchange_is_named(raw, said):
    with pytest.raises(DataError, match=said):
        exchange(raw, "here")


def test_a_conversational_prompt_keeps_its_system_message_and_turns():
    system = {"role": "system", "content": "Be brief."}
    raw = {"prompt": [system, USER, REPLY, {**USER, "content": "And 2?"}], "completion": [REPLY]}
    expected = "Be brief.\n\nUser: Add 1 and 1.\n\nAssistant: 2\n\nUser: And 2?"
    assert exchange(raw, "here")[:3] == (expected, "", "2")
    assert exchange({"prompt": [USER], "completion": "2"}, "here")[:3] == ("Add 1 and 1.", "", "2")


@pytest.mark.parametrize("text", ["<noinput>", "Noinput", "No input", "< no input >", "NO_INPUT.",
                                  "No input required."])  # fmt: skip
def test_an_input_that_says_there_is_none_is_empty(text):
    raw = {"instruction": "Add 1 and 1.", "input": text, "output": "2"}
    assert exchange(raw, "here")[:3] == ("Add 1 and 1.", "", "2")
    assert exchange({**raw, "input": "No input was read: 5"}, "here")[1] == "No input was read: 5"


@pytest.mark.parametrize("role", ["tool", "function_call", "owl"])
def test_rows_in_which_others_speak_are_dropped_and_counted(tmp_path, role):
    other = [USER, {"role": role, "content": {"sum": 2}}, REPLY]
    rows = [{"messages": [{**USER, "content": f"Add {n}."}, REPLY]} for n in range(12)]
    files = {
        "train": [table(tmp_path / "a.jsonl", [*rows[1:], {"messages": other}])],
        "test": [table(tmp_path / "b.jsonl", [rows[0], {"messages": other}, {"messages": other}])],
    }
    task = load("smalltune.tasks", "instructions")(dev={"rows": 2})
    splits = task.split(files)
    reason = "with a turn of another role than system, user or assistant"
    assert splits.dropped == {f"train rows {reason}": 1, f"test rows {reason}": 2}
    assert (len(splits.train), len(splits.dev), len(splits.test)) == (9, 2, 1)
    files["test"] = [table(tmp_path / "c.jsonl", [{"messages": other}])]
    with pytest.raises(DataError, match="split is empty: dropped were 1 row with a turn of an"):
        task.split(files)


def test_a_conversation_in_a_csv_is_json_text(tmp_path):
    import csv

    rows = [json.dumps([{**USER, "content": f"Add {n}, please."}, REPLY]) for n in range(8)]
    files = {}
    for role, part in (("train", rows[1:]), ("test", rows[:1])):
        files[role] = [tmp_path / f"{role}.csv"]
        with files[role][0].open("w", newline="") as file:
            csv.writer(file).writerows([["messages"], *([row] for row in part)])
    splits = load("smalltune.tasks", "instructions")(dev={"rows": 2}).split(files)
    assert splits.test[0].fields["instruction"] == "Add 0, please."
    assert splits.test[0].references == ("2",)


def test_the_part_of_a_prompt_for_an_empty_input_is_left_out(tiny_folder):
    from smalltune.models.loading import load_tokeniser

    task, tokeniser = load("smalltune.tasks", "alpaca")(), load_tokeniser(tiny_folder)
    rows = [
        Row("a", {"instruction": "Add.", "input": "1 and 1"}, "", ("2",)),
        Row("b", {"instruction": "Sing.", "input": ""}, "", ("La",)),
    ]
    encoded = task.encode(rows, tokeniser, length=512, chat=False).segments
    first, second = (tokeniser.decode(encoded[i][1:]) for i in range(2))
    assert first.endswith(
        "### Instruction:\nAdd.\n\n### Input:\n1 and 1\n\n### Response:\n2<|endoftext|>"
    )
    assert second.endswith("### Instruction:\nSing.\n\n### Response:\nLa<|endoftext|>")


def test_held_out_answers_are_judged_by_their_likelihood(tiny_folder, tiny):
    import torch

    from smalltune.models.loading import load_tokeniser

    task, tokeniser = load("smalltune.tasks", "instructions")(), load_tokeniser(tiny_folder)
    rows = [Row("a", {"instruction": "Add.", "input": ""}, "", ("2",))]
    encoded = task.encode(rows, tokeniser, length=300, chat=False).segments
    said = list(task.predict(tiny, encoded, task.answers(tokeniser, chat=False)))
    begin, ids = encoded.answers[0], torch.from_numpy(encoded[0]).long()
    with torch.inference_mode():
        log_probs = tiny(ids[None]).logits[0].log_softmax(-1)
    expected = sum(float(log_probs[i - 1, ids[i]]) for i in range(begin, len(ids)))
    assert said[0]["log_probs"] == [pytest.approx(expected, abs=1e-4)]
    assert said[0]["tokens"] == len(ids) - begin
