"""Settings: every hyperparameter of every method: those given, tried and chosen."""

from collections.abc import Iterator, Mapping
from typing import Any

from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import Names, enumerate_words
from smalltune.paper.numbers import Number, Numbers, macro_name
from smalltune.paper.tables import cell, table
from smalltune.paper.view import MethodView, StudyView

__all__ = ["add_settings", "budget", "chosen", "setting_tables", "settled"]

OPEN, DIFFERS = "open", "differs"
NOT_SEARCHED = "No hyperparameter was searched for within the study."
SEARCHED = (
    "Where values were tried, or a range was searched, the line above has the one chosen on dev, "
    "if all trials share it."
)

BEYOND = " A learning rate that lay best at an edge was followed beyond it."

Cells = Mapping[tuple[str, str], tuple[Any, tuple[str, ...]]]
"""What was chosen by (task, model), and the artifacts that were made with it."""


def settled(method: MethodView) -> dict[str, Any]:
    """Return the method's options and training settings that the study file fixes."""
    everything = {**method.options, **method.training}
    return {name: value for name, value in everything.items() if name not in method.tuned}


def budget(method: MethodView) -> int:
    """Return how many candidates a tuned method has, before any beyond an edge."""
    return method.candidates


def chosen(results: Results, method: MethodView, option: str) -> Cells:
    """Return the value of a tuned option that the stored trials of each task and model ran with."""
    found: dict[tuple[str, str], tuple[Any, tuple[str, ...]]] = {}
    for trial in results.trials:
        settings = results.settings(trial) if trial.method == method.name else {}
        if option in settings:
            place = (trial.task, trial.model)
            _, keys = found.get(place, (None, ()))
            ran = [trial.train] if trial.train else list(trial.predict.values())
            found[place] = (settings[option], (*keys, *ran))
    return found


def add_settings(view: StudyView, results: Results, numbers: Numbers) -> None:
    """Add `settingLoraRank` and its like; what is no number is printed as text elsewhere.

    For a tuned option that is the value which all trials ran with; where they differ, there is one
    number for each task and model. The values tried are `settingLoraRankTriedOne` and so on,
    their combinations are counted as `candidatesLora`.
    """
    for method in view.methods:
        for option, value in settled(method).items():
            source = f"study file: methods.{method.name}.{option}, training or a default"
            _add(numbers, (method.name, option), value, f"{option} of {method.name}", source)
        if method.tuned:
            name, value = macro_name("candidates", method.name), budget(method)
            what = f"candidates among which the settings of {method.name} were chosen"
            at = f"study file: methods.{method.name}.tune"
            numbers.add(Number(name, value, rounding.count(value), what, source=at))
        for option, values in method.tuned.items():
            at = f"study file: methods.{method.name}.tune.{option}"
            ends = zip(("lowest", "highest"), method.ranges.get(option, ()), strict=False)
            for word, value in ends:
                what = f"{option} of {method.name}, the {word} value of the search"
                where = f"{at}, or the method's own range"
                _add(numbers, (method.name, option, word), value, what, where)
            for place, value in enumerate(values, 1):
                what = f"{option} of {method.name}, a value that was tried"
                _add(numbers, (method.name, option, "tried", str(place)), value, what, at)
            _chosen(view, numbers, method.name, option, chosen(results, method, option))
    for option, value in view.training.items():
        _add(numbers, ("shared", option), value, option, f"study file: training.{option}")


def _chosen(view: StudyView, numbers: Numbers, method: str, option: str, cells: Cells) -> None:
    if len({repr(value) for value, _ in cells.values()}) == 1:
        value = next(iter(cells.values()))[0]
        keys = tuple(key for _, found in cells.values() for key in found)
        what = f"{option} of {method}, as tuning chose it"
        _add(numbers, (method, option), value, what, "chosen on dev among those tried", keys)
        return
    for (task, model), (value, keys) in cells.items():
        where = Names(view).of(task=task, model=model)
        what = f"{option} of {method} on {task}, as tuning chose it"
        words = (method, option, where)
        _add(numbers, words, value, what, "chosen on dev among those tried", keys)


def _add(
    numbers: Numbers,
    words: tuple[str, ...],
    value: Any,
    what: str,
    source: str,
    keys: tuple[str, ...] = (),
) -> None:
    if not isinstance(value, bool) and isinstance(value, int | float):
        name, text = macro_name("setting", *words), rounding.setting(value)
        numbers.add(Number(name, value, text, what, keys=keys, source=source))


def setting_tables(view: StudyView, results: Results, numbers: Numbers) -> Tex:
    """Return every hyperparameter of every method, training settings included."""
    methods = [m for m in view.methods if m.options or m.training or m.tuned]
    options = dict.fromkeys(o for m in methods for o in {**m.options, **m.training, **m.tuned})
    rows = []
    for option in options:
        values = [_setting(results, numbers, m, option) for m in methods]
        rows.append([str(escape(option.replace("_", " "))), *values])
        if any(option in m.tuned for m in methods):
            how = "searched" if any(option in m.ranges for m in methods) else "tried"
            rows.append([rf"\quad {how}", *(_tried(numbers, m, option) for m in methods)])
    without = [m.title for m in view.methods if m not in methods]
    said = f" Without hyperparameters: {enumerate_words(without)}." if without else ""
    how = SEARCHED + BEYOND * bool(view.extend) if view.tuned else NOT_SEARCHED
    caption = f"Hyperparameters by method; a dash: off or not what decides. {how}{said}"
    head = ["", *(str(escape(m.title)) for m in methods)]
    wide = len(methods) > (2 if view.tuned else 4)
    return table("settings", caption, "l" + "r" * len(methods), head, rows, wide=wide)


def _setting(results: Results, numbers: Numbers, method: MethodView, option: str) -> str:
    if option not in method.tuned:
        found = settled(method)
        if option == "epochs" and found.get("steps"):
            return rounding.DASH  # the steps decide
        return _shown(numbers, (method.name, option), found[option]) if option in found else ""
    values = [value for value, _ in chosen(results, method, option).values()]
    if not values:
        return OPEN
    alike = all(value == values[0] for value in values)
    return _shown(numbers, (method.name, option), values[0]) if alike else DIFFERS


def _tried(numbers: Numbers, method: MethodView, option: str) -> str:
    words: tuple[str, ...]
    if option in method.ranges:
        ends = zip(("lowest", "highest"), method.ranges[option], strict=True)
        return " to ".join(_shown(numbers, (method.name, option, e), value) for e, value in ends)
    values = enumerate(method.tuned.get(option, ()), 1)
    words = (method.name, option, "tried")
    return ", ".join(_shown(numbers, (*words, str(place)), value) for place, value in values)


def _shown(numbers: Numbers, words: tuple[str, ...], value: Any) -> str:
    name = macro_name("setting", *words)
    if name in numbers:
        return cell(numbers, name)
    return ", ".join(str(escape(one)) for one in _texts(value))


def _texts(value: Any) -> Iterator[Any]:
    if value is None or isinstance(value, bool):
        yield Tex("on" if value else "--")
    else:
        yield from value if isinstance(value, list | tuple) else [value]
