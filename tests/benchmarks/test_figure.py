"""The figure: a panel for each quantity that was measured, none for what was not."""

from types import SimpleNamespace

import pytest
from harness.figure import _aimed, _bars, _panels, draw
from harness.timing import Spread


def timed(*names):
    runs = {name: {"cpu": [1.0 + n, 1.2 + n]} for n, name in enumerate(names)}
    return {"device": "cpu", "flop": 1.0, "flop_like": 1.0, "chosen": {}, "runs": runs}


def point(**more):
    return timed("smalltune", "trainer") | {"length": 0, "parameters": 1e6, "tokens": 9} | more


MEMORY = {"device": "cpu", "runs": {"smalltune": {"peak": 2e9}, "trainer": {"peak": 3e9}}}
STUDY = {
    "device": "cpu", "runs": {"smalltune": [], "one_by_one": []}, "losses": {},
    "computed": {"8": {name: {"wall": [9.0]} for name in ("smalltune", "one_by_one")}},
}  # fmt: skip
RECORDS = {
    "train:a": timed("smalltune", "smalltune_like", "trainer", "trainer_like", "trainer_packed"),
    "evaluate:a": timed("smalltune", "lm_eval", "lm_eval_best"),
    "study:a": STUDY,
    "memory:a": MEMORY,
    "scaling:lengths": {"device": "cpu", "points": [point(length=16), point(length=64)]},
    "scaling:sizes": {"device": "cpu", "points": [point(), point(parameters=2e6)]},
}


def pairs(*names):
    return [SimpleNamespace(name=name, kind=name.partition(":")[0], aims={}) for name in names]


def test_all_that_was_measured_is_drawn_and_the_rest_left_out(tmp_path):
    asked = pairs(*RECORDS, "train:b", "train:c")
    records = RECORDS | {"train:b": {"runs": {}, "refused": "loss differs"}}
    paths = draw(records, asked, tmp_path)
    assert [path.name for path in paths] == ["speed.png", "speed.pdf"]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_nothing_is_drawn_of_records_of_an_earlier_form(tmp_path):
    old = {"train:a": {name: v for name, v in RECORDS["train:a"].items() if name != "flop_like"}}
    assert draw(old, pairs("train:a"), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_panel_has_one_quantity():
    from matplotlib.figure import Figure

    bars, rest = _panels(pairs(*RECORDS), RECORDS)
    assert [name.partition("\n")[0] for name, _ in bars] == ["train:a", "evaluate:a"]
    assert set(bars[0][1]) == {"best", "trainer"} and bars[0][1]["trainer"][0].median > 1
    said = []
    for panel in rest:
        axes = Figure().subplots()
        panel(axes)
        said.append(axes.get_xlabel().partition(" (")[0])
    assert said == [
        "a study's wall time over smalltune's", "peak memory of training, GB", "tokens a row",
        "parameters",
    ]  # fmt: skip


def test_aims_loaded_machines_and_the_best_setting_are_marked():
    (train, memory) = pairs("train:a", "memory:a")
    train.aims, memory.aims = {"trainer": 5.0}, {"trainer": 0.6}
    busy = {"load": {"others": 1.5}}
    records = {"train:a": RECORDS["train:a"] | busy, "memory:a": MEMORY}
    (name, values), *_ = _panels([train, memory], records)[0]
    assert name in ("train:a*\nbest Trainer: packed", "train:a*\nbest Trainer: like lengths")
    assert values["trainer"][1] == 5.0 and values["best"][1] is None
    spread_ = {name: Spread(n, n, n) for name, n in (("smalltune", 2.0), ("trainer", 5.0))}
    assert _aimed(memory, spread_)["smalltune"][1] == 3.0


def test_a_legend_hides_no_bar():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    _bars(axes, [("a", {"trainer": (Spread(2.0, 1.0, 3.0), 5.0)})])
    axes.figure.canvas.draw()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["aim", "Trainer"]


@pytest.mark.parametrize("name", ["memory:a", "scaling:sizes"])
def test_one_kind_alone_is_drawn_too(tmp_path, name):
    assert len(draw(RECORDS, pairs(name), tmp_path)) == 2
