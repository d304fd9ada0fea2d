"""Agreement: what is compared, what counts as too far apart, and what is said of it."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from agreement import agree, ours
from agreement.answers import Answers, log_softmax
from agreement.compare import LIMIT, compared, faults
from agreement.draws import draw, four_choices
from agreement.report import report
from agreement.sets import SETS, TITLES

ROOM = 20


def said(n=120, long=()):
    """Answers to n items of two choices; the prompts at `long` do not fit into ROOM tokens."""
    rng = np.random.default_rng(0)
    sums = -rng.uniform(1, 9, (n, 2))
    gold = rng.integers(0, 2, n)
    sizes = [ROOM if i in long else 5 + i % 9 for i in range(n)]
    return Answers(
        asked=[[(tuple(range(size)), (7,)), (tuple(range(size)), (8, 9))] for size in sizes],
        sums=sums,
        log_probs=log_softmax(sums),
        predicted={"acc": sums.argmax(1)},
        right={"acc": sums.argmax(1) == gold},
        cut=len(long),
    )


def changed(what, place, value):
    """The same answers with one number changed."""
    answers = said()
    field = getattr(answers, what)
    held = field["acc"] if isinstance(field, dict) else field
    held = held.copy()
    held[place] = held[place] + value if what in ("sums", "log_probs") else value(held[place])
    return replace(answers, **{what: {"acc": held} if isinstance(field, dict) else held})


def test_equal_answers_are_without_fault_and_small_differences_are_measured():
    found = compared(said(), said(), ROOM)
    assert faults(found) == [] and found["log_likelihoods"] == 0
    near = compared(changed("sums", (3, 1), LIMIT / 2), said(), ROOM)
    assert faults(near) == [] and near["log_likelihoods"] == pytest.approx(LIMIT / 2)


@pytest.mark.parametrize(
    ("ours", "fault"),
    [
        (changed("sums", (3, 1), 2e-4), "log-likelihoods differ by 0.0002"),
        (changed("log_probs", (9, 0), -2e-4), "log-probabilities differ by 0.0002"),
        (changed("predicted", 5, lambda place: 1 - place), "acc: 1 items have another answer"),
        (changed("right", 5, lambda flag: not flag), "acc is 0."),
        (replace(said(), cut=2), "0 items are too long, and smalltune cut 2"),
        (replace(said(), asked=[[((1,), (7,)), ((1,), (8,))], *said().asked[1:]]),
         "1 items were read as other tokens"),
    ],
)  # fmt: skip
def test_each_difference_beyond_the_tolerances_is_a_fault(ours, fault):
    assert any(line.startswith(fault) for line in faults(compared(ours, said(), ROOM)))


def test_items_that_do_not_fit_are_counted_and_not_compared():
    theirs = said(long=(2, 4))
    sums = theirs.sums.copy()
    sums[[2, 4]] -= 3
    cut = [choices if i not in (2, 4) else [((1,), (7,)), ((1,), (8, 9))]
           for i, choices in enumerate(theirs.asked)]  # fmt: skip
    found = compared(replace(theirs, sums=sums, asked=cut), theirs, ROOM)
    assert (found["items"], found["cut"], found["compared"]) == (120, 2, 118)
    assert found["log_likelihoods"] == 0 and faults(found) == []


def test_nothing_compared_is_no_agreement():
    everything = said(long=range(120))
    wrong = faults(compared(everything, everything, ROOM))
    assert "only 0 items were compared" in wrong and "log-likelihoods differ by nan" in wrong


@pytest.mark.parametrize("each", SETS, ids=lambda each: each.name)
def test_both_sides_are_asked_the_same_though_written_twice(each):
    from smalltune.core.plugins import load

    theirs = each.asked["doc_to_text"]
    listed = "\n".join(f"{name}. {{{{choices[{n}]}}}}" for n, name in enumerate("ABCD"))
    mine = ours.template(each).replace("{choices}", listed)
    for column in ("sentence", "passage", "context", "question"):
        mine = mine.replace(f"{{{column}}}", f"{{{{{column}}}}}")
    assert mine == theirs
    if each.task["kind"] == "multiple_choice":
        units = {metric: entry["normalise"] for metric, entry in each.entries.items()}
        assert units.items() <= TITLES.items()
    else:
        words = each.task.get("labels", load("smalltune.tasks", each.task["kind"])().labels)
        assert list(words.values()) == each.asked["doc_to_choice"]


def questions(articles=3, each=8):
    return [
        {
            "id": f"{a}-{n}",
            "title": f"article {a}",
            "context": f"All there is to know about {a}.",
            "question": f"What is number {n} of {a}?",
            "answers": {"text": [f"answer {a} {n}".strip(), f"{a} {n}"]},
        }
        for a in range(articles)
        for n in range(10, 10 + each)
    ]


def test_a_question_gets_its_answer_and_three_others_of_its_article():
    made = four_choices(questions())
    assert len(made) == 24 and len({row["answer"] for row in made}) > 1
    for row in made:
        article, number = row["id"].split("-")
        assert row["choices"][row["answer"]] == f"answer {article} {number}"
        assert len(set(row["choices"])) == 4
        assert all(text.startswith(f"answer {article} ") for text in row["choices"])
    assert made == four_choices(questions())


def test_a_wrong_choice_holds_no_right_answer():
    rows = questions(articles=1, each=4)
    assert len(four_choices(rows)) == 4
    rows[0]["answers"]["text"].append("THE ANSWER 0 11")
    assert [row["id"] for row in four_choices(rows)] == ["0-11", "0-12", "0-13"]


def test_rows_that_are_not_there_are_named_with_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.parquet: no such file; name the folder"):
        draw(tmp_path, "sst2", tmp_path, None)


def record(wrong=()):
    found = {each.name: compared(said(), said(), ROOM) for each in SETS}
    return {
        "date": "2026-01-02T00:00:00Z",
        "machine": {"git": "abc", "machine": {"cpu": "a processor"}, "threads": 1,
                    "python": "3.11", "packages": {"lm-eval": "0.4.13"}},
        "limit": LIMIT,
        "sources": {"sst2": {"validation.parquet": "5e2f"}},
        "sets": {each.name: agree._told(each) for each in SETS},
        "rows": {"sst2": {"sst2-test.jsonl": "452e"}},
        "bases": {"a base": {"files": {"model.safetensors": "c427"}, "context": ROOM,
                             "found": found}},
        "seconds": 1.0,
        "faults": list(wrong),
    }  # fmt: skip


def test_the_page_says_what_was_found_with_what_and_whether_it_is_within_the_tolerances():
    page = report(record())
    assert "**Nothing is outside the tolerances.**" in page
    share = said().right["acc"].mean()
    first = int((said().predicted["acc"] == 0).sum())
    chosen = f"{first} / {120 - first}"
    assert f"| sst2 | acc | 120 | 0 | 120 | {share:.6f} | {share:.6f} | {chosen} | 0 |" in page
    for known in ("2026-01-02", "| lm-eval | 0.4.13 |", "5e2f", "452e", "c427"):
        assert known in page
    failed = report(record(wrong=["a base, sst2: too far"]))
    assert "**Outside the tolerances:**" in failed and "- a base, sst2: too far" in failed


@pytest.mark.parametrize(("wrong", "code"), [([], None), (["sst2: too far"], "sst2: too far")])
def test_the_script_fails_when_something_is_outside_the_tolerances(monkeypatch, wrong, code):
    place = Path(__file__).parents[2] / "benchmarks" / "run.py"
    spec = importlib.util.spec_from_file_location("benchmark_run", place)
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    monkeypatch.setattr(run, "os", type("os", (), {"environ": {}}))
    monkeypatch.setattr("harness.machine.steady", lambda threads: "cpu")
    monkeypatch.setattr(agree, "agree", lambda *_: wrong)
    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "agreement"])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == code
