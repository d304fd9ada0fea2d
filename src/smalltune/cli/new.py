"""`smalltune new`: a commented study file, on a table of one's own whose columns are confirmed."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smalltune.cli.verbs import AsJson, print_json, say, verb
from smalltune.core.errors import DataError, StudyError
from smalltune.core.plural import plural

if TYPE_CHECKING:
    from smalltune.data.profile import Column, Columns, Table
    from smalltune.planning.starter import Written

__all__ = ["new"]

SHOWN = 12
WIDE = 60

Given = tuple[tuple[str, ...], str | None, str | None]
"""Columns as typed: texts, label, id."""


@verb
def new(
    name: Annotated[str, typer.Argument(help="The study's name, or the folder it shall have.")],
    data: Annotated[Path | None, typer.Option(help="A table of your own.", readable=False)] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Its column of texts; twice for two [default: guessed]."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Its column of labels [default: guessed].")
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
    from smalltune.planning.starter import Own, new_folder, own_study, starter_study

    if data is None:
        if text or label or id or test or dev:
            raise StudyError("columns and further tables belong to a table: give it with --data")
        _report(starter_study(name), None, json)
        return True
    new_folder(name)
    files = {"train": data} | ({"dev": dev} if dev else {}) | ({"test": test} if test else {})
    columns, sure = _columns(data, (tuple(text or ()), label, id), yes, quiet=json)
    if not sure:
        _refuse(_command(name, files, columns), columns, json)
        return False
    _report(own_study(name, Own(files, columns)), columns, json)
    return True


def _columns(data: Path, given: Given, yes: bool, *, quiet: bool) -> tuple["Columns", bool]:
    """Return the columns and whether they are settled: given in full, confirmed, or `--yes`."""
    from smalltune.data.profile import profile

    table = profile(data)
    text, label, id = given
    settled = bool(text and label)
    found = _guessed(table, (text, label, id or ("none" if settled else None)))
    if not quiet:
        print("\n".join(_evidence(table, found)))
    asked = not (settled or yes or quiet) and sys.stdin.isatty() and sys.stdout.isatty()
    return _asked(table, found) if asked else (found, settled or yes)


def _guessed(table: "Table", given: Given) -> "Columns":
    """Return the columns, guessed where none are given; the id `none` means that there is none."""
    from smalltune.data.profile import Columns
    from smalltune.planning.guessing import guess

    text, label, id = given
    found = guess(table, text=text, label=label, id=None if id == "none" else id)
    return Columns(found.text, found.label) if id == "none" else found


def _asked(table: "Table", found: "Columns") -> tuple["Columns", bool]:
    """Ask until the answer is yes or no; other columns that are typed are shown and asked again."""
    while True:
        try:
            answer = input("Use these columns? [y/N, or others: text=... label=... id=none] ")
        except EOFError:
            return found, False
        if answer.strip().lower() in ("y", "yes", "", "n", "no"):
            return found, answer.strip().lower() in ("y", "yes")
        try:
            given = _changed((found.text, found.label, found.id or "none"), answer)
            found = _guessed(table, given)
            print("\n".join(_evidence(table, found)))
        except (DataError, StudyError) as error:
            say(str(error))


def _changed(given: Given, answer: str) -> Given:
    """Return the columns after `text=body text=title label="what it is"` was typed."""
    text, label, id = given
    try:
        words = shlex.split(answer)
    except ValueError as error:
        raise StudyError(f"{answer!r}: {error}") from None
    texts: list[str] = []
    for word in words:
        role, equals, column = word.partition("=")
        if not equals or role not in ("text", "label", "id"):
            raise StudyError(f"{word!r}: type y, n, or columns such as text=body label=kind")
        if role == "text":
            texts.append(column)
        label, id = (column if role == "label" else label), (column if role == "id" else id)
    return tuple(texts) or text, label, id


def _evidence(table: "Table", chosen: "Columns") -> Iterator[str]:
    """Yield what a person needs to see before agreeing to the columns."""
    roles = {**dict.fromkeys(chosen.text, "text"), chosen.label: "label"}
    if chosen.id is not None:
        roles[chosen.id] = "id"
    yield f"{table.path}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')}"
    names = sorted(table.columns, key=lambda name: name not in roles)[:SHOWN]
    width = max(len(_shown(name, 24)) for name in names)
    for name in names:
        about = _about(table.columns[name], roles.get(name, ""))
        yield f"  {roles.get(name, '-'):5}  {_shown(name, 24):{width}}  {about}"
    if len(table.columns) > SHOWN:
        yield f"  and {len(table.columns) - SHOWN} more columns"
    for number, row in enumerate(table.samples, 1):
        yield f"row {number}"
        for name in (*chosen.text, chosen.label):
            yield f"  {_shown(name, 24):{width}}  {_shown(str(row.get(name)), WIDE)}"


def _about(column: "Column", role: str) -> str:
    values = column.values
    if role == "text":
        return f"{column.mean:.0f} characters on average"
    if values and (role == "label" or len(values) <= SHOWN):
        few = ", ".join(f"{_shown(value, 20)} {rows}" for value, rows in values.most_common(6))
        return f"{plural(len(values), 'value')}: {few}" + (", ..." if len(values) > 6 else "")
    kind = "all different" if column.unique and column.filled else "many values"
    return f"{kind}, such as {_shown(column.first, 30)}" if column.filled else "empty"


def _shown(text: str, width: int) -> str:
    """Return a text on one line, cut to a width, with nothing in it that a terminal would obey."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * width]).split())
    return line if len(line) <= width else line[: width - 3] + "..."


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
    words += ["--label", columns.label]
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
        about = {"columns": _named(columns), "labels": labels} if columns else {}
        print_json({"study": str(written.file), **about, "notes": written.notes})
        return
    for note in written.notes:
        say(f"note: {note}")
    print(f"{written.file}\nRead it, then: smalltune run {shlex.quote(str(written.file.parent))}")


def _named(columns: "Columns") -> dict[str, Any]:
    texts: Sequence[str] = columns.text
    return {"text": list(texts), "label": columns.label, "id": columns.id}
