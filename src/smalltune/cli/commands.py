"""The verbs, in the order in which a study meets them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from smalltune.cli.new import new as new_verb
from smalltune.cli.storage import store as store_verb
from smalltune.cli.verbs import (
    AsJson,
    Changes,
    StoreAt,
    StudyAt,
    Threads,
    Workers,
    open_study,
    print_json,
    say,
    verb,
)

__all__ = ["app"]

app = typer.Typer(
    name="smalltune",
    help="From one study file to fine-tuned small language models, statistics and a paper.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        import smalltune

        print(f"smalltune {smalltune.__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


app.command("new")(new_verb)


@app.command()
@verb
def lock(study: StudyAt, store: StoreAt = None, json: AsJson = False) -> None:
    """Pin what every name means now: models by commit or digest, data by digest."""
    from smalltune.cli.show import lock_lines

    one = open_study(study, store)
    locked = one.lock()
    if json:
        from dataclasses import asdict

        print_json(asdict(locked))
    else:
        print("\n".join(lock_lines(locked)))


@app.command()
@verb
def plan(
    study: StudyAt,
    changes: Changes = None,
    store: StoreAt = None,
    json: AsJson = False,
    forecast: Annotated[
        bool, typer.Option(help="Say what it will take; measured once, for some seconds.")
    ] = True,
    workers: Workers = None,
    threads: Threads = 1,
) -> None:
    """Show the trials and their state: done, missing, failed (why), stale; what it will take.

    No trial is run. What the forecast needs is measured in a process of its own and kept.
    """
    from smalltune.cli.forecasts import forecast_record, print_forecast, watch_measuring
    from smalltune.cli.show import plan_record, print_plan

    one = open_study(study, store, changes)
    remarks, found = one.checked, one.status()
    if not json:
        print_plan(one, found)
    _warn(one.warnings, remarks)
    told = None
    if forecast:
        told = one.forecast(workers=workers, threads=threads, tell=watch_measuring())
    if json:
        print_json(plan_record(one, found) | {"forecast": told and forecast_record(told)})
    elif told:
        print_forecast(told)


@app.command()
@verb
def run(
    study: StudyAt,
    changes: Changes = None,
    store: StoreAt = None,
    json: AsJson = False,
    workers: Workers = None,
    threads: Threads = 1,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Time between two checkpoints of a training.")
    ] = 10.0,
    until: Annotated[
        str | None, typer.Option(help="Stop after prepare, tokens, train or predict.")
    ] = None,
) -> bool:
    """Run what is missing. Run again, and there is nothing to do."""
    from smalltune.cli.live import watch

    one = open_study(study, store, changes)
    one.locked  # noqa: B018 - its warnings come before the run
    _warn(one.warnings, ())
    with watch(quiet=json) as tell:
        report = one.run(
            workers=workers,
            threads=threads,
            checkpoint_seconds=checkpoint_seconds,
            until=until,
            tell=tell,
        )
    _warn((), one.checked)
    if json:
        print_json(report.record())
    else:
        print(report)
    return report.ok


@app.command()
@verb
def results(
    study: StudyAt,
    changes: Changes = None,
    split: Annotated[
        str | None, typer.Option(help="Which scores the table shows: test, else dev.")
    ] = None,
    store: StoreAt = None,
    json: AsJson = False,
) -> bool:
    """Print the table of results and write results/ (Parquet and JSON)."""
    from smalltune.cli.show import print_results

    one = open_study(study, store, changes)
    found = one.results()
    written = one.export_results()
    if json:
        from smalltune.analysis.export import summary

        print_json(summary(found))
    else:
        print_results(one, found, split)
        print("\n".join(f"wrote {path}" for path in written))
    return any(True for _ in found.stored())


@app.command()
@verb
def paper(study: StudyAt, store: StoreAt = None, json: AsJson = False) -> None:
    """Write the paper: LaTeX whose every number comes from the store, and its PDF."""
    report = open_study(study, store).paper()
    if json:
        from dataclasses import asdict

        print_json(asdict(report))
        return
    print(f"{report.folder}: {report.numbers} numbers, {report.cited} works cited")
    if report.message:
        say(report.message)
    if report.pdf:
        print(f"{report.pdf}: {report.pages} pages")


@app.command()
@verb
def bundle(study: StudyAt, store: StoreAt = None, json: AsJson = False) -> None:
    """Write submission.zip: paper, study, source, scripts, requirements."""
    path = open_study(study, store).bundle()
    if json:
        print_json({"bundle": str(path), "bytes": path.stat().st_size})
    else:
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@app.command(context_settings={"ignore_unknown_options": True})  # "-/tfidf/own/-" is no option
@verb
def trace(
    study: StudyAt,
    number: Annotated[
        str,
        typer.Argument(help="A number's id, as numbers.json has it, or a trial's: a/b/c/seed."),
    ],
    store: StoreAt = None,
    json: AsJson = False,
) -> None:
    """Walk from a number of the paper, or from a trial, back to the jobs that made it."""
    found = open_study(study, store).trace(number)
    if json:
        print_json(found.record())
    else:
        print("\n".join(found.lines()))


@app.command(context_settings={"ignore_unknown_options": True})  # "-/tfidf/own/-" is no option
@verb
def export(
    study: StudyAt,
    trial: Annotated[str, typer.Argument(help="A trial's id: model/method/task/seed.")],
    folder: Annotated[Path, typer.Argument(help="Where the model's folder shall be.")],
    merged: Annotated[
        bool, typer.Option("--merged", help="Add what was trained to the base: a whole model.")
    ] = False,
    store: StoreAt = None,
    json: AsJson = False,
) -> None:
    """Write a trained model with its card, in the layout that Transformers or PEFT read."""
    written = open_study(study, store).export(trial, folder, merged=merged)
    if json:
        print_json({"folder": str(written)})
    else:
        print(written)


app.command("store")(store_verb)


@app.command()
@verb
def doctor(store: StoreAt = None, json: AsJson = False) -> bool:
    """Say what this machine has, what is missing, and how to get it."""
    from smalltune.cli.doctor import examine, print_findings

    findings = examine(store)
    if json:
        print_json([finding.__dict__ for finding in findings])
    else:
        print_findings(findings)
    return all(finding.ok or not finding.needed for finding in findings)


def _warn(warnings: Sequence[str], remarks: Sequence[str]) -> None:
    for warning in warnings:
        say(f"note: {warning} (`smalltune lock STUDY` takes the present state)")
    for remark in remarks:
        say(f"note: {remark}")
