"""`smalltune new`: a commented study file, on a table of one's own whose columns are confirmed."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalltune.cli.evidence import evidence
from smalltune.cli.verbs import AsJson, print_json, say, verb
from smalltune.core.errors import DataError, StudyError

if TYPE_CHECKING:
    from smalltune.data.profile import Columns, Table
    from smalltune.planning.starter import Written

__all__ = ["new"]

OTHERS = {
    "classification": "text=... label=... id=none",
    "generation": "text=... target=... id=none",
    "instructions": "text=... target=... or label=...",
    "language_modelling": "text=... target=... or label=...",
    "multiple_choice": "text=... choices=... label=... id=none",
}
"""What may be typed instead of yes, by the kind of task that was guessed."""


@dataclass(frozen=True)
class _Given:
    """Columns as typed; the id `none` means that there is none."""

    text: tuple[str, ...] = ()
    label: str | None = None
    target: str | None = None
    choices: tuple[str, ...] = ()
    id: str | None = None

    @property
    def settled(self) -> bool:
        """Tell whether nothing is left to guess."""
        return bool(self.text and (self.label or self.target))


@verb
def new(
    name: Annotated[str, typer.Argument(help="The study's name, or the folder it shall have.")],
    data: Annotated[
        Path | None, typer.Option(help="A table of your own, or a text.", readable=False)
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Its column of texts; twice for two [default: guessed]."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Its column of labels [default: guessed].")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Its column of texts to be written, instead of labels.")
    ] = None,
    choices: Annotated[
        list[str] | None,
        typer.Option(help="Its column of choices, or one for each; --label says which is right."),
    ] = None,
    id: Annotated[str | None, typer.Option(help="Its column of ids, if it has one.")] = None,
    test: Annotated[
        Path | None,
        typer.Option(help="A test table [default: a fifth of the rows].", readable=False),
    ] = None,
    dev: Annotated[
        Path | None, typer.Option(help="A dev table [default: drawn from train].", readable=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the guessed columns.")] = False,
    json: AsJson = False,
) -> bool:
    """Write a commented study file to start from."""
    from smalltune.data.profile import profile
    from smalltune.planning.guessing import unused_choices
    from smalltune.planning.starter import Own, new_folder, open_study, own_study, starter_study

    given = _Given(tuple(text or ()), label, target, tuple(choices or ()), id)
    if label and target:
        raise StudyError("a task has labels or texts to be written: give --label or --target")
    if data is None:
        if given != _Given() or test or dev:
            raise StudyError("columns and further tables belong to a table: give it with --data")
        _report(starter_study(name), None, json)
        return True
    new_folder(name)
    files = {"train": data} | ({"dev": dev} if dev else {}) | ({"test": test} if test else {})
    table = profile(data)
    columns, sure = _columns(table, given, yes, quiet=json)
    if not sure:
        _refuse(_command(name, files, columns), columns, json)
        return False
    write = own_study if columns.kind == "classification" else open_study
    written = write(name, Own(files, columns))
    notes = [*unused_choices(table, columns), *written.notes]
    _report(replace(written, notes=notes), columns, json)
    return True


def _columns(table: "Table", given: _Given, yes: bool, *, quiet: bool) -> tuple["Columns", bool]:
    """Return the columns and whether they are settled: given in full, confirmed, or `--yes`."""
    settled = given.settled
    found = _guessed(table, replace(given, id=given.id or ("none" if settled else None)))
    if not quiet:
        print("\n".join(evidence(table, found)))
    asked = not (settled or yes or quiet) and sys.stdin.isatty() and sys.stdout.isatty()
    return _asked(table, found) if asked else (found, settled or yes)


def _guessed(table: "Table", given: _Given) -> "Columns":
    """Return the columns, guessed where none are given."""
    from smalltune.planning.guessing import guess

    found = guess(
        table,
        text=given.text,
        label=given.label,
        target=given.target,
        choices=given.choices,
        id=None if given.id == "none" else given.id,
    )
    return replace(found, id=None) if given.id == "none" else found


def _asked(table: "Table", found: "Columns") -> tuple["Columns", bool]:
    """Ask until the answer is yes or no; other columns that are typed are shown and asked again."""
    while True:
        try:
            answer = input(f"Use these columns? [y/N, or others: {OTHERS[found.kind]}] ")
        except EOFError:
            return found, False
        if answer.strip().lower() in ("y", "yes", "", "n", "no"):
            return found, answer.strip().lower() in ("y", "yes")
        try:
            found = _guessed(table, _changed(_as_given(found), answer))
            print("\n".join(evidence(table, found)))
        except (DataError, StudyError) as error:
            say(str(error))


def _as_given(found: "Columns") -> _Given:
    """Return guessed columns as if they had been typed."""
    goal = found.label or None
    if found.kind == "generation":
        return _Given(found.text, target=goal, id=found.id or "none")
    return _Given(found.text, goal, choices=found.choices, id=found.id or "none")


def _changed(given: _Given, answer: str) -> _Given:
    """Return the columns after `text=body text=title label="what it is"` was typed."""
    try:
        words = shlex.split(answer)
    except ValueError as error:
        raise StudyError(f"{answer!r}: {error}") from None
    typed: dict[str, list[str]] = {}
    for word in words:
        role, equals, column = word.partition("=")
        if not equals or role not in _Given.__dataclass_fields__:
            raise StudyError(f"{word!r}: type y, n, or columns such as text=body label=kind")
        typed.setdefault(role, []).append(column)
    if "label" in typed and "choices" not in typed:
        given = replace(given, target=None)
    if "target" in typed:
        given = replace(given, label=None, choices=())
    new: dict[str, Any] = {
        role: tuple(names) if role in ("text", "choices") else names[-1]
        for role, names in typed.items()
    }
    return replace(given, **new)


def _command(name: str, files: Mapping[str, Path], columns: "Columns") -> str:
    """Return the command line that needs no answer."""
    words = ["smalltune", "new", name, "--data", str(files["train"])]
    words += [
        word
        for role in ("dev", "test")
        if role in files
        for word in (f"--{role}", str(files[role]))
    ]
    words += [word for column in columns.text for word in ("--text", column)]
    words += [word for column in columns.choices for word in ("--choices", column)]
    if columns.label:
        words += ["--target" if columns.kind == "generation" else "--label", columns.label]
    else:
        words += ["--yes"]
    return shlex.join(words + (["--id", columns.id] if columns.id is not None else []))


def _refuse(command: str, columns: "Columns", json: bool) -> None:
    if json:
        print_json({"study": None, "columns": _named(columns), "command": command})
    say(f"nothing is written before the columns are confirmed. If they are right: {command}")


def _report(written: "Written", columns: "Columns | None", json: bool) -> None:
    if json:
        labels = {
            value: {"word": word, "rows": written.rows.get(value, 0)}
            for value, word in written.words.items()
        }
        about = {"columns": _named(columns)} if columns else {}
        about |= {"labels": labels} if labels else {}
        print_json({"study": str(written.file), **about, "notes": written.notes})
        return
    for note in written.notes:
        say(f"note: {note}")
    print(f"{written.file}\nRead it, then: smalltune run {shlex.quote(str(written.file.parent))}")


def _named(columns: "Columns") -> dict[str, Any]:
    texts: Sequence[str] = columns.text
    goal = "target" if columns.kind == "generation" else "label"
    named = {"text": list(texts), goal: columns.label or None, "id": columns.id}
    if columns.kind == "classification":
        return named
    choices = {"choices": list(columns.choices)} if columns.choices else {}
    return {"kind": columns.kind, **named, **choices}
