"""What all verbs share: their common arguments, how errors end, how JSON is printed."""

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from smalltune.core.errors import SmalltuneError

if TYPE_CHECKING:
    from smalltune.api import Study

__all__ = [
    "AsJson", "Changes", "StoreAt", "StudyAt", "Threads", "Workers", "open_study", "print_json",
    "say", "terminal", "verb",
]  # fmt: skip

Workers = Annotated[int | None, typer.Option(min=1, help="Jobs at a time [default: what fits].")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of each job.")]
StudyAt = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study's folder, its study.yaml, or its name.")
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Values instead of the study file's."),
]
StoreAt = Annotated[
    Path | None,
    typer.Option("--store", help="The store [default: $SMALLTUNE_STORE or beside the studies]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

P = ParamSpec("P")


def verb(command: Callable[P, bool | None]) -> Callable[P, None]:
    """Make a function a command: errors become one message, the exit code says how it ended.

    A command that returns False has done what it could and has not succeeded.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            ok = command(*args, **kwargs)
        except SmalltuneError as error:
            say(str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            say("stopped. What was finished is kept: run again to go on")
            raise typer.Exit(128 + signal.SIGINT) from None
        except BrokenPipeError:  # the reader of our output has enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            raise typer.Exit(1) from None
        except OSError as error:  # the last resort: a path that cannot be read or written
            where = f"{error.filename}: " if error.filename else ""
            say(f"{where}{error.strerror or error}")
            raise typer.Exit(1) from None
        if ok is False:
            raise typer.Exit(1)

    return run


def open_study(study: str, store: Path | None, changes: list[str] | None = None) -> "Study":
    """Return the study that was typed."""
    from smalltune.api import load

    return load(study, store, changes or ())


def say(text: str) -> None:
    """Print a message for a person, beside the output."""
    print(text, file=sys.stderr, flush=True)


def terminal() -> Any:
    """Return a console as wide as the terminal; output into a file is not wrapped."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)


def print_json(value: Any) -> None:
    """Print a value as JSON; what has no number prints as null."""
    print(json.dumps(_finite(value), indent=1, ensure_ascii=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return None
    return value
