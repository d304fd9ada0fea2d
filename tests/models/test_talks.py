"""Conversations that are too long: old exchanges go first, the question stays, all is counted."""

import pytest

from smalltune.core.errors import StudyError
from smalltune.core.plugins import load
from smalltune.data.splits import Row
from smalltune.models.talks import shorter

SYSTEM = ("system", "You are a pirate.")


def talk(exchanges, *, words=8, system=True):
    turns = [SYSTEM] if system else []
    for n in range(exchanges):
        turns += [("user", f"Question {n} " + "why " * words), ("assistant", f"Answer {n}.")]
    return (*turns, ("user", "And where is the gold?"))


def row(turns, name="a"):
    asked = "\n\n".join(text for _, text in turns)
    return Row(name, {"instruction": asked, "input": ""}, "", ("Below.",), turns=tuple(turns))


def told(tokeniser, turns, *, chat, length=100, **options):
    """Return the text of a prompt, its number of tokens, and the encoded row."""
    task = load("smalltune.tasks", "instructions")(longest=16, **options)
    found = task.encode([row(turns)], tokeniser, length=length, chat=chat)
    begin = found.segments.answers[0]
    assert begin <= length - 16
    return tokeniser.decode(found.segments[0][:begin]), begin, found


def test_exchanges_are_left_out_from_the_first_and_the_system_stays():
    steps = shorter(talk(2))
    assert [len(step) for step in steps] == [6, 4, 2]
    assert steps[0] == talk(2) and all(step[0] == SYSTEM for step in steps)
    assert steps[-1][-1] == ("user", "And where is the gold?")
    lead = (("assistant", "Ahoy!"), ("user", "Hi"))
    assert shorter(lead) == [lead, lead[1:]]


@pytest.mark.parametrize("chat", [True, False])
def test_a_long_conversation_loses_its_oldest_exchanges_and_keeps_the_others_whole(
    tokenisers, chat
):
    tokeniser = tokenisers("Qwen2.5-0.5B")
    shown, size, found = told(tokeniser, talk(200), chat=chat)
    assert "You are a pirate." in shown and "And where is the gold?" in shown
    kept = [n for n in range(200) if f"Question {n} " in shown]
    assert kept and kept == list(range(kept[0], 200))
    assert shown.count("why " * 7 + "why") == len(kept)
    assert found.truncated == 1 and found.counts["turns_dropped"] == 1
    assert found.counts["texts_cut"] == 0
    one_more = talk(200)[:1] + talk(200)[1 + 2 * (kept[0] - 1) :]
    _, _, whole = told(tokeniser, one_more, chat=chat, length=2000)
    assert whole.segments.answers[0] > 100 - 16 >= size and whole.counts["turns_dropped"] == 0


@pytest.mark.parametrize("chat", [True, False])
def test_the_systems_text_is_cut_before_the_question(tokenisers, chat):
    turns = [("system", "rule " * 300), *talk(3, system=False)]
    shown, _, found = told(tokenisers("Qwen2.5-0.5B"), turns, chat=chat)
    assert "And where is the gold?" in shown and "Question" not in shown
    assert shown.count("rule") > 20 and found.counts["turns_dropped"] == 1
    assert found.counts["texts_cut"] == 1


@pytest.mark.parametrize("chat", [True, False])
def test_a_question_that_is_longer_than_the_systems_text_stays_whole_where_it_fits(
    tokenisers, chat
):
    turns = [("system", "rule " * 40), ("user", "word " * 50 + "last?")]
    shown, _, found = told(tokenisers("Qwen2.5-0.5B"), turns, chat=chat)
    assert shown.count("word") == 50 and "last?" in shown and 0 < shown.count("rule") < 40
    assert found.truncated == 1 and found.counts["turns_dropped"] == 0
    assert found.counts["texts_cut"] == 1


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("keep_end", [True, False])
def test_a_question_that_does_not_fit_alone_is_cut(tokenisers, chat, keep_end):
    asked = "first " + "word " * 300 + "last?"
    turns = [SYSTEM, *talk(2, system=False)[:-1], ("user", asked)]
    shown, _, found = told(tokenisers("Qwen2.5-0.5B"), turns, chat=chat, keep_end=keep_end)
    assert ("last?" in shown, "first" in shown) == (keep_end, not keep_end)
    assert "pirate" in shown and found.counts["turns_dropped"] == 1


@pytest.mark.parametrize("chat", [True, False])
def test_where_the_instruction_may_not_be_cut_only_exchanges_go(tokenisers, chat):
    tokeniser, whole = tokenisers("Qwen2.5-0.5B"), {"uncut": ("instruction",)}
    shown, _, _ = told(tokeniser, talk(50), chat=chat, **whole)
    assert shown == told(tokeniser, talk(50), chat=chat)[0]
    with pytest.raises(StudyError, match="item 'a': the prompt alone with its instruction does"):
        told(tokeniser, [("user", "word " * 300)], chat=chat, **whole)


def test_rows_with_and_without_turns_keep_their_order(tokenisers):
    tokeniser = tokenisers("Qwen2.5-0.5B")
    plain = Row("b", {"instruction": "Sing.", "input": ""}, "", ("La",))
    task = load("smalltune.tasks", "instructions")(longest=16)
    rows = [plain, row(talk(50)), plain, row(talk(0))]
    found = task.encode(rows, tokeniser, length=100, chat=True)
    shown = [tokeniser.decode(found.segments[i]) for i in range(4)]
    assert ["Sing." in text for text in shown] == [True, False, True, False]
    assert found.truncated == 1 and found.lengths[1] > 100
    assert found.counts == {"answers_cut": 0, "turns_dropped": 1, "texts_cut": 0}
    long = Row("c", {"instruction": "Sing " * 200, "input": ""}, "", ("La",))
    mixed = task.encode([long, *rows], tokeniser, length=100, chat=True)
    assert mixed.truncated == 2 and mixed.counts["texts_cut"] == 1
    alone = task.encode([plain], tokeniser, length=100, chat=True)
    assert not {"turns_dropped", "texts_cut"} & alone.counts.keys()
