"""The rules of beam search, on tables of probabilities small enough to search them whole."""

import itertools

import pytest
import torch

from smalltune.engine.beams import Beams

WORDS, STEPS, END = 5, 4, 0


def table(seed):
    """Log-probabilities [WORDS, WORDS] of a word after a word."""
    generator = torch.Generator().manual_seed(seed)
    return torch.log_softmax(2 * torch.randn(WORDS, WORDS, generator=generator).double(), dim=-1)


def search(tables, beams, penalty=0.0, ends=(END,), limits=STEPS):
    """Run a beam search in which each prompt has a table of its own; word 1 stands before all."""
    n = len(tables)
    limits = torch.full((n,), limits) if isinstance(limits, int) else torch.tensor(limits)
    state = Beams(beams, penalty, limits, torch.tensor(ends, dtype=torch.int64))
    last = torch.ones(n, 1, dtype=torch.int64)
    while state.open.any():
        rows = torch.stack([t[words] for t, words in zip(tables, last, strict=True)]).flatten(0, 1)
        tokens = torch.arange(WORDS).expand_as(rows)
        missing = max(0, beams - rows.shape[1])
        rows = torch.nn.functional.pad(rows, (0, missing), value=-torch.inf)
        last, _ = state.advance(rows, torch.nn.functional.pad(tokens, (0, missing), value=END))
    return [state.best(row) for row in range(n)]


def every_text(logs):
    """Yield all texts, ended or of full length, with their log-probabilities."""
    for length in range(1, STEPS + 1):
        for words in itertools.product(range(WORDS), repeat=length):
            if END in words[:-1] or (words[-1] != END and length < STEPS):
                continue
            yield list(words), sum(float(logs[a, b]) for a, b in zip((1, *words), words))  # noqa: B905


@pytest.mark.parametrize("seed", range(8))
def test_enough_beams_find_the_most_probable_text(seed):
    logs = table(seed)
    words, value = max(every_text(logs), key=lambda text: text[1])
    ((found, log_prob),) = search([logs], beams=WORDS**STEPS)
    assert found == words
    assert log_prob == pytest.approx(value)


@pytest.mark.parametrize("beams", [2, 3])
def test_a_prompt_is_searched_as_if_it_were_alone(beams):
    tables = [table(seed) for seed in range(12)]
    together = search(tables, beams, penalty=1.0)
    assert together == [search([each], beams, penalty=1.0)[0] for each in tables]
    assert len({len(words) for words, _ in together}) > 1


def test_a_higher_length_penalty_gives_no_shorter_text():
    tables = [table(seed) for seed in range(30)]
    lengths = [
        sum(len(words) for words, _ in search(tables, 4, penalty)) for penalty in (-2.0, 0.0, 2.0)
    ]
    assert lengths[0] < lengths[1] < lengths[2]


def test_an_end_that_is_not_among_the_best_beams_does_not_count():
    logs = torch.log(
        torch.tensor([[0.1] * 5, [0.1, 0.0, 0.5, 0.4, 0.0], *[[0.0, 0.0, 0.5, 0.5, 0.0]] * 3])
    )
    ((found, _),) = search([logs.double()], beams=2, penalty=4.0, limits=2)
    assert len(found) == 2
    ((found, _),) = search([logs.double()], beams=3, penalty=-4.0, limits=2)
    assert found == [END]


def test_each_prompt_has_a_limit_of_its_own():
    found = search([table(3)] * 3, beams=2, ends=(), limits=[1, 2, 4])
    assert [len(words) for words, _ in found] == [1, 2, 4]


def test_prompts_that_are_left_go_on_unchanged():
    tables = [table(seed) for seed in range(3)]
    whole = Beams(2, 1.0, torch.full((3,), STEPS), torch.tensor([END]))
    part = Beams(2, 1.0, torch.full((3,), STEPS), torch.tensor([END]))
    best = torch.stack([t[1] for t in tables]).topk(4, dim=-1)
    for state in (whole, part):
        state.advance(best.values, best.indices)
    part.take(torch.tensor([2, 0]))
    next_best = torch.randn(6, 4).double().sort(dim=1, descending=True).values - 5
    tokens = torch.randint(1, WORDS, (6, 4))
    rows = torch.tensor([4, 5, 0, 1])
    a = whole.advance(next_best, tokens)
    b = part.advance(next_best[rows], tokens[rows])
    for one, other in zip(a, b, strict=True):
        assert one[[2, 0]].tolist() == other.tolist()
