"""Figures: found by file name, fit for print, and the same bytes every time."""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import pytest

from smalltune.core.plugins import load, names
from smalltune.paper.figures import COLOURS, WIDTH, place_title, save, scores, titled

ROOM = "smalltune.paper.figures"


@pytest.mark.parametrize("name", names(ROOM))
def test_a_figure_is_drawn_and_its_bytes_repeat(name, small, tmp_path):
    made = small()
    once = save(load(ROOM, name)(made.results()), tmp_path / "once.pdf").read_bytes()
    code = (
        "import sys\n"
        "from smalltune.analysis.results import read\n"
        "from smalltune.core.plugins import load\n"
        "from smalltune.core.store import Store\n"
        "from smalltune.paper.figures import save\n"
        "store = Store(sys.argv[1])\n"
        f"figure = load({ROOM!r}, {name!r})(read(store, store.read_plan('made')))\n"
        "save(figure, sys.argv[2])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(made.store.root), str(tmp_path / "again.pdf")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "UTC-9"})
    assert (tmp_path / "again.pdf").read_bytes() == once
    assert b"CreationDate" not in once and b"/Type3" not in once
    assert b"/CIDFontType2" in once  # TrueType, embedded as text


@pytest.mark.parametrize("name", names(ROOM))
def test_a_figure_is_as_wide_as_a_column_and_leaves_no_setting_behind(name, small):
    before = dict(mpl.rcParams)
    figure = load(ROOM, name)(small().results())
    assert figure.get_figwidth() == WIDTH and 0.8 < figure.get_figheight() < 4
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", names(ROOM))
def test_a_figure_of_a_study_that_has_not_run_is_left_out(name, made):
    made.data({"test": [0, 1]})
    made.add("full", 0, {"test": [0.1, 0.9]}, write=False)
    made.declared = {"contrasts": [{"a": "full", "b": "full"}]}
    assert load(ROOM, name)(made.results()) is None


def test_every_seed_has_its_dot_and_every_method_its_row(small):
    (ax,) = load(ROOM, "scores")(small().results()).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["majority", "full", "lora"]
    assert [len(dots.get_offsets()) for dots in ax.collections] == [6, 6]
    assert ax.get_xlabel() == "Accuracy (%)"


def test_a_methods_name_is_text_and_never_a_formula(made):
    made.data({"test": [0, 1, 1]})
    made.add("a_$x^{", 0, {"test": [0.1, 0.9, 0.4]})
    figure = load(ROOM, "scores")(made.results())
    figure.canvas.draw()
    assert figure.axes[0].get_yticklabels()[0].get_text() == "a_$x^{"


def test_a_method_keeps_its_colour_from_figure_to_figure(small):
    results = small().results()
    rows = load(ROOM, "scores")(results).axes[0]
    lines = load(ROOM, "curves")(results).axes[0].lines
    assert [line.get_color() for line in lines] == [COLOURS[1], COLOURS[2]]
    assert [dots.get_facecolor()[0].tolist() for dots in rows.collections] == [
        list(mpl.colors.to_rgba(colour)) for colour in COLOURS[1:3]
    ]


def test_seeds_that_stop_early_are_drawn_as_far_as_they_went(made):
    from smalltune.core.job import Job

    made.data({"test": [0, 1]})
    for seed, steps in ((0, 5), (1, 10)):
        trial = made.add("full", seed, {"test": [0.1, 0.9]}, trains=True)
        old = trial.job("train")
        made.store.remove(old.key)
        log = [{"step": s, "loss": 1.0 + seed} for s in range(1, steps + 1)]
        made.commit(Job(old.stage, 1, old.spec, old.inputs), {"log.jsonl": log, "facts.json": {}})
    (ax,) = load(ROOM, "curves")(made.results()).axes
    assert ax.lines[0].get_ydata().tolist() == [1.5] * 5 + [2.0] * 5


@pytest.mark.parametrize(("seeds", "cut"), [(2, True), (6, False)])
def test_an_interval_of_two_seeds_does_not_stretch_a_panel(seeds, cut):
    def one(method, value, low, high, per_seed=()):
        return SimpleNamespace(
            method=method, value=value, low=low, high=high, seeds=len(per_seed), per_seed=per_seed
        )

    spread = tuple((seed, 0.5 + 0.02 * (seed % 2)) for seed in range(seeds))
    rows = [one("zero_shot", 0.4, 0.36, 0.44), one("full", 0.51, 0.0, 1.0, spread)]
    left, right = scores._room(rows)
    assert left < 0.36 and right > 0.52
    assert (left > 0 and right < 1) is cut


def test_panels_are_called_what_the_paper_calls_their_tasks():
    assert place_title(["micro"], "micro", "sst2") == "sst2"
    with titled({}, {"sst2": "SST-2", "micro": "Micro", "mini": "Mini"}):
        assert place_title(["micro", "mini"], "micro", "sst2") == "Micro, SST-2"
    assert place_title(["micro"], "micro", "sst2") == "sst2"


# Tuning


def rated(*scores, first=1e-4):
    return [({"learning_rate": first * 10**place}, score) for place, score in enumerate(scores)]


def test_a_search_of_few_runs_has_no_curve_and_what_was_not_tuned_no_figure(small):
    made = small()
    made.searches.clear()
    made.tune("lora", rated(0.5, 0.6))
    assert load(ROOM, "budget")(made.results()) is None
    assert load(ROOM, "learning_rates")(made.results()) is None
    made.searches.clear()
    assert load(ROOM, "budget")(made.results()) is None


def test_the_curve_of_a_budget_leaves_out_what_lies_beyond_an_edge(small):
    made = small()
    made.searches.clear()
    made.tune("lora", rated(0.5, 0.7, 0.6, 0.9), trials=3)
    (ax,) = load(ROOM, "budget")(made.results()).axes
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == pytest.approx([60, 200 / 3, 70])


def test_the_chosen_rate_has_a_ring_and_one_beyond_the_edge_is_hollow(small):
    made = small()
    made.searches.clear()
    made.tune("lora", rated(0.5, 0.7, 0.6, 0.9), trials=3)
    (ax,) = load(ROOM, "learning_rates")(made.results()).axes
    line, hollow, ring = ax.lines
    assert line.get_xdata().tolist() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert hollow.get_markerfacecolor() == "white" and hollow.get_xdata() == [0.1]
    assert ring.get_markerfacecolor() == "none"
    assert (ring.get_xdata(), ring.get_ydata()) == ([pytest.approx(0.1)], [90])
    assert ax.get_xscale() == "log"


def test_a_method_of_which_only_tuning_is_known_is_drawn_too(small):
    made = small()
    made.tune("ia3", rated(0.5, math.nan, 0.6, 0.7))
    (ax,) = load(ROOM, "learning_rates")(made.results()).axes
    lines = {line.get_label(): line for line in ax.lines}
    assert len(lines["ia3"].get_xdata()) == 3
    (ax,) = load(ROOM, "budget")(made.results()).axes
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert math.isnan(lines["ia3"][0]) and lines["ia3"][1] > 0
