"""Operations beside the times: of evaluation and generation, on a tiny model."""

from dataclasses import replace

import numpy as np
import pytest
from harness import evaluation, generation
from harness.texts import demonstrations, task_of

from smalltune.data.splits import Row
from smalltune.engine.segments import Segments
from smalltune.models.loading import load_model, load_tokeniser


@pytest.fixture
def model(tiny_folder):
    return load_model(tiny_folder)


def items(*texts):
    return [Row(str(n), {"text": text}, "sports") for n, text in enumerate(texts)]


def test_demonstrations_are_needed_once_and_computed_plainly_with_every_row(model, tiny_folder):
    tokeniser, task = load_tokeniser(tiny_folder), task_of("ag_news")
    shown = demonstrations(task, items("A game was won.", "The season is over for them all."))
    task = replace(task, prompt=shown + task.template)
    rows = items("They lost again.", "The bank has closed its doors", "One more goal")
    once, twice = (
        evaluation._operations(model, task, each, tokeniser) for each in (rows, rows + rows)
    )
    beginning = once["beginning_flop"]
    assert 0 < beginning == twice["beginning_flop"]
    own = once["flop"] - beginning
    assert twice["flop"] - beginning == pytest.approx(2 * own, rel=1e-9)
    assert twice["plain_flop"] == pytest.approx(2 * once["plain_flop"], rel=1e-9)
    assert once["plain_flop"] > 3 * beginning + own


def test_a_beam_costs_its_own_tokens_and_no_prompt(model):
    prompts = Segments.of([np.arange(1, n) for n in (5, 9)], [1, 1], [0, 0])

    def needed(beams, tokens):
        plan = generation.Plan("tiny", "none", 2, tokens=tokens, beams=beams)
        texts = [(7,) * tokens] * 2
        return generation._operations(model, prompts, plan, texts)["flop"]

    each = needed(1, 6) - needed(1, 1)
    assert each > 0
    assert needed(3, 6) - needed(1, 6) == pytest.approx(2 * each, rel=1e-9)
    assert needed(1, 1) == pytest.approx(needed(4, 1), rel=1e-9)


def test_where_a_text_ended_early_no_operations_are_said(model):
    prompts = Segments.of([[3, 4]] * 2, [1, 1], [0, 0])
    plan = generation.Plan("tiny", "none", 2, tokens=2)
    assert generation._operations(model, prompts, plan, [(5, 6), (5,)]) == {}
