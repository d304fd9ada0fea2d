"""Demonstrations: balanced, drawn by a seed, and read as if a person had written them down."""

from collections import Counter

import numpy as np
import pytest
from models.checkpoints import checkpoint

from smalltune.core.plugins import load
from smalltune.data.splits import Row
from smalltune.kinds.demonstrations import Demonstrations, chosen
from smalltune.models.families import Prompts
from smalltune.models.loading import load_tokeniser


@pytest.fixture(scope="module")
def tokeniser(tiny_folder):
    return load_tokeniser(tiny_folder)


@pytest.mark.parametrize(
    ("k", "counts"), [(6, [2, 2, 2]), (7, [3, 2, 2]), (2, [1, 1]), (3, [1] * 3)]
)
def test_each_label_is_shown_as_often(k, counts):
    labels = [0] * 90 + [1] * 9 + [2] * 5
    for seed in range(10):
        found = chosen(labels, k, seed)
        assert len(set(found)) == k
        assert sorted(Counter(labels[i] for i in found).values(), reverse=True) == counts


def test_a_label_with_few_rows_leaves_its_share_to_the_others():
    labels = [0] * 20 + [1]
    assert Counter(labels[i] for i in chosen(labels, 8, 0)) == {0: 7, 1: 1}
    assert sorted(chosen([0, 1], 8, 0)) == [0, 1]
    assert chosen([0, 1], 0, 0) == []


def test_the_seed_draws_rows_order_and_the_label_that_has_one_more():
    labels = [0] * 30 + [1] * 30
    drawn = [tuple(chosen(labels, 5, seed)) for seed in (3, 3, *range(20))]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 18
    assert {Counter(labels[i] for i in each).most_common(1)[0][0] for each in drawn} == {0, 1}
    assert {labels[each[-1]] for each in drawn} == {0, 1}


def reviews():
    made = {"text": "t", "label": "y", "labels": {"0": "bad", "1": "good"}, "prompt": "{t}\nIt is"}
    task = load("smalltune.tasks", "classification")(**made)
    rows = [Row(str(n), {"t": f"review {n}"}, ("bad", "good")[n % 2]) for n in range(12)]
    return task, rows


def behind(task, rows, tokeniser, *, k=2, seed=0, room=200, chat=False):
    answers = task.answers(tokeniser, chat=chat)
    encoded = task.encode(rows, tokeniser, length=64, chat=chat).segments
    lessons = task.training(encoded, answers)
    ends = [] if answers.names else [tokens[0] for tokens in answers.tokens]
    shown = Demonstrations.of(lessons, k, seed, Prompts(tokeniser, chat), ends)
    return encoded, *shown.before(encoded, room)


def turns(*said):
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]


@pytest.mark.parametrize("kind", ["labels", "texts"])
def test_in_a_chat_solved_items_are_turns_of_one_conversation(kind):
    tokeniser = load_tokeniser(checkpoint("Qwen2.5-0.5B"))
    if kind == "labels":
        task, rows = reviews()
        said = [(f"{row.fields['t']}\nIt is", row.label) for row in rows]
    else:
        task = load("smalltune.tasks", "generation")(
            text="t", reference="s", prompt="{t}:", longest=8
        )
        rows = [Row(str(n), {"t": f"item {n}"}, "", (f"text {n}",)) for n in range(5)]
        said = [(f"{row.fields['t']}:", row.references[0]) for row in rows]
    encoded, prompts, _ = behind(task, rows, tokeniser, chat=True)
    shots = [each for n in chosen(encoded.labels.tolist(), 2, 0) for each in said[n]]
    for i, (asked, _) in enumerate(said):
        written = tokeniser.apply_chat_template(
            turns(*shots, asked), tokenize=False, add_generation_prompt=True
        )
        assert tokeniser.decode(prompts[i][: prompts.answers[i]]) == written


THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""As Qwen3's: a block of reasoning stands before the answer to come, and before no earlier one."""


def test_solved_items_in_a_chat_hold_no_block_of_reasoning_that_the_template_does_not_write():
    tokeniser = load_tokeniser(checkpoint("Qwen2.5-0.5B"))
    tokeniser.chat_template = THINKING
    task, rows = reviews()
    encoded, prompts, _ = behind(task, rows, tokeniser, chat=True)
    said = [(f"{row.fields['t']}\nIt is", row.label) for row in rows]
    shots = [each for n in chosen(encoded.labels.tolist(), 2, 0) for each in said[n]]
    for i, (asked, _) in enumerate(said):
        written = tokeniser.apply_chat_template(
            turns(*shots, asked), tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        assert written.count("<think>") == 1
        assert tokeniser.decode(prompts[i][: prompts.answers[i]]) == written


def test_prompts_stand_behind_solved_items_with_a_blank_line_between(tokeniser):
    task, rows = reviews()
    encoded, prompts, short = behind(task, rows, tokeniser)
    first, second = chosen(encoded.labels.tolist(), 2, 0)
    said = "".join(f"review {n}\nIt is {rows[n].label}\n\n" for n in (first, second))
    assert short == 0
    for i, row in enumerate(rows):
        assert tokeniser.decode(prompts[i]) == f"<|endoftext|>{said}{row.fields['t']}\nIt is"
        assert prompts.answers[i] == len(prompts[i])
    assert prompts.labels.tolist() == encoded.labels.tolist()


def test_an_end_token_becomes_the_blank_line_and_the_answer_stays_last(tokeniser):
    task = load("smalltune.tasks", "generation")(text="t", reference="s", prompt="{t}:", longest=8)
    rows = [Row(str(n), {"t": f"item {n}"}, "", (f"text {n}",)) for n in range(5)]
    encoded, prompts, _ = behind(task, rows, tokeniser, k=1, seed=1)
    (shown,) = chosen([0] * 5, 1, 1)
    asked = tokeniser.decode(prompts[4][: prompts.answers[4]])
    assert asked == f"<|endoftext|>item {shown}: text {shown}\n\nitem 4:"
    assert np.array_equal(prompts[4][prompts.answers[4] :], encoded[4][encoded.answers[4] :])


def test_where_not_all_fit_the_first_are_left_out_and_it_is_counted(tokeniser):
    task, rows = reviews()
    encoded, all_of_them, _ = behind(task, rows, tokeniser, k=4)
    need = int(all_of_them.lengths.max())
    for room in range(int(encoded.lengths.max()), need):
        _, prompts, short = behind(task, rows, tokeniser, k=4, room=room)
        assert prompts.lengths.max() <= room and short > 0
        for i in range(len(prompts)):
            tail = prompts[i][1:].tolist()
            assert all_of_them[i].tolist()[-len(tail) :] == tail
    _, prompts, short = behind(task, rows, tokeniser, k=4, room=need)
    assert short == 0


def test_fewer_rows_than_solved_items_are_counted_too(tokeniser):
    task, rows = reviews()
    _, prompts, short = behind(task, rows, tokeniser, k=len(rows) + 1)
    assert short == len(prompts) == len(rows)
