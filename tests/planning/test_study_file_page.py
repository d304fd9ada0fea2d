"""The tables of options and metrics in docs/study-file.md say what the code says."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from smalltune.core.plugins import load, names
from smalltune.planning.schema import MethodEntry, TaskEntry, TuningEntry

PAGE = (Path(__file__).parents[2] / "docs/study-file.md").read_text()
KINDS = ("classification", "generation", "instructions", "language_modelling", "multiple_choice")
NAME = re.compile(r"`([^`]+)`")


def rows(head):
    """Yield the cells of each row below every head that begins with these cells."""
    inside = False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").split("|")[:-1]]
        if cells[: len(head)] == head:
            inside = True
        elif not cells:
            inside = False
        elif inside and set(cells[0]) != {"-"}:
            yield cells


def options():
    """Return the default of each option, by the kind and the option's name."""
    found, kind = {}, ""
    for first, option, _, default in rows(["kind", "option"]):
        kind = first.strip("`") or kind
        found[kind, option.strip("`")] = yaml.safe_load(default.strip("`"))
    return found


def metrics():
    """Return the better direction and the per cent sign of each metric, in every table."""
    return [
        (name, better, percent == "%")
        for names_, _, _, better, percent in rows(["metric"])
        for name in NAME.findall(names_)
    ]


def method_options():
    """Return the default of each method's own options as the table has it."""
    found, methods = {}, []
    for first, option, _, default in rows(["methods", "own option"]):
        methods = NAME.findall(first) or methods
        for method in methods:
            assert (method, option.strip("`")) not in found
            found[method, option.strip("`")] = yaml.safe_load(default.strip("`"))
    return found


def test_every_option_of_a_method_stands_in_the_table_with_its_default_and_no_other():
    kinds = {name: load("smalltune.methods", name) for name in names("smalltune.methods")}
    assert method_options() == {
        (name, field.name): field.default
        for name, kind in kinds.items()
        for field in dataclasses.fields(kind)
    }


def test_every_method_that_trains_stands_with_its_learning_rate_and_what_is_searched():
    told = {}
    for methods, rate, searched in rows(["trained", "learning rate"]):
        bounds = re.findall(r"`(\w+)` (\d+) to (\d+)", searched)
        ranges = {name: (int(low), int(high)) for name, low, high in bounds}
        told |= dict.fromkeys(NAME.findall(methods), (float(rate.strip("`")), ranges))
    kinds = [(name, load("smalltune.methods", name)) for name in names("smalltune.methods")]
    assert told == {
        name: (
            kind.training["learning_rate"],
            {option: (each.low, each.high) for option, each in kind.searched.items()},
        )
        for name, kind in kinds
        if kind.trains
    }


def test_the_keys_of_tuning_stand_with_their_defaults_and_those_of_an_entry_are_named():
    told = {
        cells[0].strip("`"): yaml.safe_load(cells[2].strip("`"))
        for cells in rows(["key of `tuning`"])
    }
    assert told == TuningEntry().model_dump()
    keys = [field.alias or name for name, field in MethodEntry.model_fields.items()]
    said = PAGE.partition("stand in an entry beside ")[2].partition(";")[0]
    assert NAME.findall(said) == keys


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_a_kind_stands_in_the_table_with_its_default(kind):
    told, plugin = options(), load("smalltune.tasks", kind)
    shared = {
        "instructions": ["generation", "all but running text"],
        "language_modelling": [],
    }.get(kind, ["all but running text"])
    for field in dataclasses.fields(plugin):
        at = next((w, field.name) for w in (kind, *shared) if (w, field.name) in told)
        made = field.default_factory is not dataclasses.MISSING
        default = field.default_factory() if made else field.default
        assert told[at] == (list(default) if isinstance(default, tuple) else default), at


def test_the_table_of_options_holds_none_that_its_kind_does_not_have():
    for kind, option in options():
        plugin = load("smalltune.tasks", kind if kind in KINDS else "classification")
        assert option in {field.name for field in dataclasses.fields(plugin)}


def test_the_keys_of_every_task_are_those_that_an_entry_may_have():
    told = {name for cells in rows(["key", "meaning"]) for name in NAME.findall(cells[0])}
    assert told == set(TaskEntry.model_fields)


def test_every_metric_stands_in_a_table_as_it_is_printed_and_judged():
    told = metrics()
    assert {name for name, _, _ in told} == set(names("smalltune.metrics"))
    for name, better, percent in told:
        metric = load("smalltune.metrics", name)
        assert (name, better, percent) == (name, metric.better, metric.percent)


def test_the_metrics_of_a_kind_stand_in_its_table_and_its_usual_ones_are_named():
    usual = {
        kind: tuple(NAME.findall(said))
        for kinds, said in rows(["kind", "usual metrics"])
        for kind in NAME.findall(kinds)
    }
    assert usual == {kind: load("smalltune.tasks", kind).metrics for kind in KINDS}
    parts = re.findall(r"^\*\*[^*]+:\*\*([^\n]+)\n\n((?:\|[^\n]*\n)+)", PAGE, flags=re.MULTILINE)
    listed = {
        kind: {name for row in table.splitlines() for name in NAME.findall(row.split("|")[1])}
        for heading, table in parts
        for kind in NAME.findall(heading)
        if kind in KINDS
    }
    assert set(listed) == set(KINDS)
    for kind in KINDS:
        plugin = load("smalltune.tasks", kind)
        known = {*plugin.metrics, *plugin.more_metrics}
        assert known == listed[kind] if kind != "instructions" else known < listed[kind]
