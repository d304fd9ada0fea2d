"""Counts, memory, and how a command ends that met a path it cannot use."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from smalltune.cli.verbs import verb
from smalltune.core import provenance
from smalltune.core.plural import plural


def test_one_is_singular():
    assert [plural(n, "job") for n in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_memory_without_proc_is_counted_in_the_systems_own_unit(monkeypatch, system, unit):
    def absent(path, *args, **options):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=7))
    assert provenance._peak() == 7 * unit


def test_a_path_that_nobody_foresaw_ends_a_command_in_one_line(tmp_path, capsys):
    @verb
    def read():
        (tmp_path / "nowhere").read_text()

    with pytest.raises(typer.Exit) as caught:
        read()
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == f"{tmp_path / 'nowhere'}: No such file or directory\n"
