"""Drawings: every figure of the room, saved and set with a caption that says what it shows."""

import inspect
from pathlib import Path

from smalltune.analysis.results import Results
from smalltune.core import plugins
from smalltune.paper.escape import Tex, escape
from smalltune.paper.figures import FEW, WIDTH, save, titled
from smalltune.paper.naming import inline
from smalltune.paper.numbers import macro_name
from smalltune.paper.view import StudyView

__all__ = ["draw_all"]

ROOM = "smalltune.paper.figures"


def draw_all(view: StudyView, results: Results, folder: Path) -> dict[str, Tex]:
    """Draw the figures that have something to show into `folder`; return their floats by name."""
    folder.mkdir(parents=True, exist_ok=True)
    floats = {}
    for name in plugins.names(ROOM):
        draw = plugins.load(ROOM, name)
        places = {model.name: model.title for model in view.models}
        places |= {task.name: task.title for task in view.tasks}
        with titled({method.name: method.title for method in view.methods}, places):
            figure = draw(results)
        if figure is not None:
            save(figure, folder / f"{name}.pdf")
            wide = figure.get_figwidth() > WIDTH
            floats[name] = _float(name, _caption(view, name, draw), wide=wide)
    return floats


def _float(name: str, caption: str, *, wide: bool) -> Tex:
    star = "*" if wide else ""
    return Tex(
        f"\\begin{{figure{star}}}[tb]\n\\centering\n"
        f"\\includegraphics[width=\\linewidth]{{figures/{name}.pdf}}\n"
        f"\\caption{{{caption}}}\n\\label{{fig:{name}}}\n\\end{{figure{star}}}\n"
    )


def _caption(view: StudyView, name: str, draw: object) -> str:
    """Return a figure's caption; one that is not known here says its file's first line."""
    metrics = dict.fromkeys(view.primary_of(task.name) for task in view.tasks)
    one = escape(view.metric(next(iter(metrics))).title)
    metric = one if len(metrics) == 1 else "The primary measure of each task"
    tasks = ", ".join(
        rf"$n$ = \{macro_name('rows', 'test', t.name)} test items"
        + (f" of {escape(t.title)}" * (len(view.tasks) > 1))
        for t in view.tasks
    )
    several = view.several_seeds
    seeds = r", \seedsCount{} seeds" if several else ""
    over = "seeds and test items" if several else "test items"
    alone = len(view.seeded) < len(view.methods)
    single = "; test items alone for methods without seeds" if several and alone else ""
    dots = " and every single seed (dots)" if several else ""
    few = several and len(view.seeds) <= FEW
    beyond = "An arrow: the interval of so few seeds goes on beyond the panel. " if few else ""
    each = "paired difference of each seed (dots), mean" if several else "difference"
    lines = (
        "median over seeds (line) and range from the lowest to the highest seed (band)"
        if several
        else "one run of each method"
    )
    known = {
        "scores": rf"{metric} on test: {'mean' if several else 'score'} (mark), \intervalLevel{{}} "
        f"interval over {over} (bar{single}){dots}. {beyond}{tasks}{seeds}.",
        "contrast": rf"Declared contrasts: {each} (mark) and \intervalLevel{{}} interval "
        f"over {over} (bar). {tasks}{seeds}.",
        "budget": _budget(view),
        "learning_rates": rf"Tuning: the score on dev ({_tuned_by(view)}) by learning rate. A "
        "ring: what was chosen; a hollow mark: a run beyond an edge of the values that the search "
        "began with. Other values that were searched for differ from run to run too.",
        "curves": f"Loss in training (logarithmic axis): {lines}{seeds}.",
        "lengths": f"Lengths of the {_read(view)} in tokens, before any was cut, by split; the "
        "last bin reaches to the longest. The dotted line is the greatest length that the model is "
        "given; where there is none it lies further to the right.",
    }
    doc = inspect.getdoc(inspect.getmodule(draw)) or name
    return known.get(name) or str(escape(inline(doc.splitlines()[0]).capitalize()))


def _budget(view: StudyView) -> str:
    return (
        rf"Tuning: the expected score on dev ({_tuned_by(view)}) of the best of so many runs of a "
        r"search \citep{dodge2019showwork}, as its mean over all choices of so many of the runs "
        r"\citep{tang2020showing}. Bars: one standard deviation of the best of so many runs drawn "
        "anew from the same scores, cut to the scores that were seen. Runs beyond an edge are left "
        "out; all runs have one seed, so that nothing here is of the chance of seeds."
    )


def _tuned_by(view: StudyView) -> str:
    metrics = dict.fromkeys(task.selects or view.primary_of(task.name) for task in view.tasks)
    titles = [inline(view.metric(name).title) for name in metrics]
    return str(escape(titles[0])) if len(titles) == 1 else "the measure that decides for the task"


def _read(view: StudyView) -> str:
    """Return what a model reads, by the kinds of the study's tasks."""
    whole = {task.answers == "running text" for task in view.tasks}
    return {
        frozenset({False}): "prompts",
        frozenset({True}): "pieces of text",
    }.get(frozenset(whole), "prompts, or pieces of running text,")
