"""Errors and samples of every kind of task: counted by rules, and never against their direction."""

import pytest

from smalltune.analysis.contents import Source, facts_of, slot_errors
from smalltune.analysis.contrasts import NEITHER, declared
from smalltune.analysis.errors import categories
from smalltune.analysis.samples import RIGHT, choose

STORY = "On Monday Anna left Rome with 1,200 letters. She met Ben in the old mill."
ITEMS = [
    {"fields": {"text": f"{STORY} {'It rained. ' * i}"}, "references": ["Anna met Ben."]}
    for i in range(6)
]


@pytest.fixture
def told(made):
    """Return a study in which one method copies and another invents."""
    made.ask("stories", ITEMS)
    for seed in (0, 1):
        made.say("copier", seed, ["She met Ben"] * 6, task="stories")
        invents = ["Carla left Paris with 7 dogs.", "", *["Anna met Ben."] * 4]
        made.say("inventor", seed, invents, task="stories", ended=[False, *[True] * 5])
    return made


def cells(found, name: str) -> dict[str, tuple[int | None, int]]:
    (one,) = [category for category in found if category.name == name]
    return {method: (cell.count, cell.of) for method, cell in one.cells.items()}


def test_what_a_source_lacks_is_counted():
    source = Source(STORY)
    assert source.count("She met Ben in Paris") == {
        "new bigrams": (1, 4), "new numbers": (0, 1), "new names": (1, 1), "verbatim": (0, 1),
    }  # fmt: skip
    assert source.count("with 1200 letters")["new numbers"] == (0, 1)
    assert source.count("with 12 letters")["new numbers"] == (1, 1)
    assert source.count("Paris is old.")["new names"] == (0, 1)  # begins a sentence, as any word
    assert source.count("met ben in the old mill")["verbatim"] == (1, 1)
    assert set(source.count("").values()) == {(0, 0)}


def test_facts_are_counted_as_missing_wrong_and_invented():
    facts = [{"name": "Elm", "dogs": "no", "terrain": "flat"}, {"name": "Oak", "terrain": "steep"}]
    found = slot_errors(["Elm is steep.", "Oak is steep, no dogs."], facts)
    assert found == {"missing": (1, 5), "wrong": (1, 5), "invented": (1, 5)}
    assert facts_of({"mr": "name[Elm], dogs[no]"}) == {"name": "Elm", "dogs": "no"}
    assert facts_of({"mr": "near[Elm], near[Oak]"}) == {}  # not counted, and no reason to stop


def test_copied_invented_empty_and_unended_answers_are_told_apart(told):
    found = categories(told.results(), "micro", "stories")
    assert cells(found, "different") == {"copier": (2, 12), "inventor": (6, 12)}  # each run alone
    assert cells(found, "empty") == {"copier": (0, 12), "inventor": (2, 12)}
    assert cells(found, "unended") == {"copier": (0, 12), "inventor": (2, 12)}
    assert cells(found, "verbatim") == {"copier": (12, 12), "inventor": (0, 10)}
    assert cells(found, "new names") == {"copier": (0, 12), "inventor": (2, 10)}
    assert cells(found, "new numbers") == {"copier": (0, 12), "inventor": (2, 10)}


def test_every_count_leads_to_the_predictions_of_its_method(told):
    results = told.results()
    keys = {m: {t.predict["test"] for t in results.trials if t.method == m} for m in ("copier",)}
    for category in categories(results, "micro", "stories"):
        if not category.metric:
            assert set(category.cells["copier"].keys) == keys["copier"]


def test_thirds_by_length_hold_every_item_once_and_average_to_the_whole(told):
    found = [c for c in categories(told.results(), "micro", "stories") if c.group == "length"]
    assert [c.name for c in found] == ["short", "middle", "long"]
    for method in ("copier", "inventor"):
        parts = [c.cells[method] for c in found]
        assert sum(part.of for part in parts) == 6
        whole = sum(part.value * part.of for part in parts) / 6
        sample = told.results().sample("micro", method, "stories", "test", "token_f1")
        assert whole == pytest.approx(sample.per_seed.mean())


def test_labels_taken_for_another_are_counted_and_a_constant_method_does_not_vote(made):
    made.data({"test": [0, 0, 1, 1]})
    made.add("majority", None, {"test": [0.1] * 4}, model="-")
    made.add("full", 0, {"test": [0.9, 0.1, 0.9, 0.9]})
    found = [c for c in categories(made.results(), "micro", "reviews") if c.group == "confusion"]
    favoured, pair = found
    assert {m: (c.count, c.of) for m, c in favoured.cells.items()} == {
        "majority": (4, 4), "full": (3, 4),
    }  # fmt: skip
    assert "bad" in pair.what and "good" in pair.what
    assert (pair.cells["full"].count, pair.cells["full"].of) == (1, 2)
    assert pair.cells["majority"].count == 0


def test_the_label_said_most_is_told_where_no_method_says_two(made):
    made.data({"test": [0, 0, 1, 1]})
    made.add("majority", None, {"test": [0.1] * 4}, model="-")
    found = [c for c in categories(made.results(), "micro", "reviews") if c.group == "confusion"]
    assert [c.name for c in found] == ["favoured"]


def test_of_choices_the_longest_the_shortest_and_the_first_taken_are_counted(made):
    data = made.data({"test": [0, 1]})
    texts = [["one", "two words"], ["as long", "as this"]]
    rows = [
        {"id": f"test-{i}", "fields": {"text": "?"}, "label": "bad", "choices": each}
        for i, each in enumerate(texts)
    ]
    made.store.remove(data.key)
    made.commit(data, {"test.jsonl": rows, "facts.json": {}})
    trial = made.add("full", 0, {"test": [0.1, 0.9]})
    job = trial.evaluations["test"].inputs["predictions"]
    lines = made.store.read_lines(job.key, "predictions.jsonl")
    made.store.remove(job.key)
    said = [{**line, "predicted": letter} for line, letter in zip(lines, "BA", strict=True)]
    made.commit(job, {
        "predictions.jsonl": said, "labels.json": {"names": ["A", "B"]}, "facts.json": {},
    })  # fmt: skip
    found = [c for c in categories(made.results(), "micro", "reviews") if c.group == "choice"]
    assert {c.name: c.cells["full"].count for c in found} == {
        "longest": 2,
        "shortest": 1,
        "first": 1,
    }


def test_negation_is_looked_for_in_english_only(made):
    data = made.data({"test": [0, 1, 0, 1]})
    rows = [
        {"id": f"test-{i}", "fields": {"text": text}, "label": ("bad", "good")[i % 2]}
        for i, text in enumerate(["is n\u2019t", "Never!", "notable", "I don't"])
    ]
    made.store.remove(data.key)
    made.commit(data, {"test.jsonl": rows, "facts.json": {}})
    made.add("full", 0, {"test": [0.1, 0.9, 0.9, 0.1]})

    def groups(language):
        return {
            c.name: c for c in categories(made.results(), "micro", "reviews", language=language)
        }

    assert "with" not in groups("") and "with" not in groups("German")
    assert groups("English")["with"].cells["full"].of == 3
    assert groups("English")["with"].cells["full"].value == pytest.approx(2 / 3)
    assert groups("English")["without"].cells["full"].value == 0


def test_an_output_that_is_no_answer_is_counted_and_is_wrong(made):
    made.data({"test": [0, 1]})
    trial = made.add("full", 0, {"test": [0.1, 0.9]})
    key = trial.evaluations["test"].inputs["predictions"].key
    lines = made.store.read_lines(key, "predictions.jsonl")
    made.store.remove(key)
    files = {
        "predictions.jsonl": [
            {"id": lines[0]["id"], "text": "perhaps", "ended": True, "predicted": None}, lines[1],
        ],
        "labels.json": {"names": ["bad", "good"]}, "facts.json": {},
    }  # fmt: skip
    made.commit(trial.evaluations["test"].inputs["predictions"], files)
    results = made.results()
    row = results.predictions("micro/full/reviews/0", "test")[0]
    assert row.predicted is None and row.log_probs == {} and row.text == "perhaps"
    assert cells(categories(results, "micro", "reviews"), "invalid") == {"full": (1, 2)}
    chosen = {e.id: e for e in choose(results, "micro", "reviews")}
    assert chosen["test-0"].value == {"full": 0.0} and chosen["test-0"].said == {"full": {"": 1.0}}


# Samples of texts


def test_texts_are_ranked_by_the_tasks_own_metric(told):
    chosen = choose(told.results(), "micro", "stories", each=1)
    parted, hardest = chosen[0], chosen[1]
    assert parted.metric == "token_f1" != RIGHT and hardest.kind == "hardest"
    assert hardest.id in ("test-0", "test-1")  # where the inventor has nothing right
    assert hardest.gold == "Anna met Ben." and hardest.text["copier"] == "She met Ben"
    assert parted.value["inventor"] in (0.0, 1.0)
    assert 0 < parted.value["copier"] < 1


def test_a_metric_that_is_better_when_low_has_its_hardest_items_at_the_top(made):
    made.ask(
        "walks", [{"fields": {"f": f"name[A{i}], dogs[no]"}, "references": ["x"]} for i in "0123"]
    )
    texts = ["A0, no dogs", "A1, no dogs", "?", "?"]
    made.say("lora", 0, texts, task="walks", metrics=("slot_error_rate",))
    (hardest, _) = choose(made.results(), "micro", "walks", each=1)
    assert hardest.id in ("test-2", "test-3") and hardest.value == {"lora": 1.0}


# Tasks of several kinds in one study


def test_each_task_is_judged_by_a_metric_that_it_has(told):
    told.data({"test": [0, 1, 0]})
    told.add("copier", 0, {"test": [0.1, 0.9, 0.9]})
    told.add("inventor", 0, {"test": [0.1, 0.1, 0.1]})
    metrics = ["length_ratio", "accuracy", "token_f1"]
    told.declared = {"primary": "accuracy", "metrics": metrics}
    told.declared["contrasts"] = [{"a": "copier", "b": "inventor", "metric": "accuracy"}]
    results = told.results()
    assert results.primary_of("reviews") == "accuracy"
    assert results.primary_of("stories") == "token_f1"  # a length has no better direction
    found = {one.estimate.task: one.estimate.metric for one in declared(results)}
    assert found == {"reviews": "accuracy", "stories": "token_f1"}


def test_a_metric_without_a_direction_never_has_a_verdict(told):
    told.declared = {"contrasts": [{"a": "copier", "b": "inventor", "metric": "length_ratio"}]}
    (one,) = declared(told.results())
    assert one.verdict == NEITHER and one.better == "neither"


def test_signatures_are_kept(told):
    results = told.results()
    assert results.scored(results.trials[0], "test").signatures == {"token_f1": "words|1.1"}
