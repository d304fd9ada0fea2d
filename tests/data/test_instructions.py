"""Instruction data: one exchange out of each of the usual formats."""

import pytest

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
    "unanswered end": {"messages": [USER, REPLY, {"role": "user", "content": "And 2?"}]},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_exchange(name):
    assert exchange(FORMATS[name], "here") == ("Add 1 and 1.", "", "2")


def test_what_was_said_before_the_last_answer_is_the_prompt():
    system = {"role": "system", "content": "Be brief."}
    raw = {"messages": [system, USER, REPLY, {**USER, "content": "And 2?"}, {**REPLY}]}
    asked, given, answer = exchange(raw, "here")
    assert asked == "Be brief.\n\nUser: Add 1 and 1.\n\nAssistant: 2\n\nUser: And 2?"
    assert (given, answer) == ("", "2")
    assert exchange({"messages": [system, USER, REPLY]}, "here")[0] == "Be brief.\n\nAdd 1 and 1."


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"text": "x"}, "here: no instruction data: the columns are text, and must be"),
        ({"messages": [USER]}, "here: the conversation holds no question with an answer"),
        ({"messages": [REPLY]}, "here: the conversation holds no question with an answer"),
        ({"messages": [{"role": "owl", "content": "x"}]}, "here: nobody knows the role 'owl'"),
        ({"messages": ["x"]}, "here: a turn of the conversation is 'x', and must be an object"),
        ({"instruction": 7, "output": "x"}, "here: 7 is no text"),
    ],
)
def test_what_is_no_exchange_is_named(raw, said):
    with pytest.raises(DataError, match=said):
        exchange(raw, "here")


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
