"""Replacing: a kill at any moment leaves a folder that the next build can replace."""

import shutil
from pathlib import Path

import pytest

from smalltune.core.errors import LatexError
from smalltune.paper.build import _beside, _recover, _replace

FILES = ("paper.tex", "numbers.json", "numbers.tex", "sections/results.tex")


def filled(folder: Path, mark: str) -> Path:
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"% Written by smalltune {mark}")
    return folder


def marks(folder: Path) -> set[str]:
    return {p.read_text().split()[-1] for p in folder.rglob("*") if p.is_file()}


def test_the_new_paper_stands_alone(tmp_path: Path):
    folder = filled(tmp_path / "study" / "paper", "old")
    (folder / "sections" / "gone.tex").write_text("old")
    _replace(folder, filled(tmp_path / "draft", "new"))
    assert marks(folder) == {"new"} and [p.name for p in folder.parent.iterdir()] == ["paper"]


@pytest.mark.parametrize("kept", FILES[:3])
def test_a_folder_with_any_part_of_a_paper_is_ours(tmp_path: Path, kept: str):
    folder = filled(tmp_path / "study" / "paper", "old")
    for name in set(FILES) - {kept}:
        (folder / name).unlink()
    _replace(folder, filled(tmp_path / "draft", "new"))
    assert marks(folder) == {"new"}


def test_a_paper_of_somebody_else_is_left_alone(tmp_path: Path):
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / "paper.tex").write_text("\\documentclass{thesis}")
    with pytest.raises(LatexError, match="holds other files than a paper"):
        _replace(folder, filled(tmp_path / "draft", "new"))
    assert (folder / "paper.tex").read_text() == "\\documentclass{thesis}"


class Killed(BaseException):
    """Stands for a kill: nothing of smalltune catches it."""


@pytest.mark.parametrize("step", range(5))
def test_a_kill_at_any_step_blocks_nothing(tmp_path: Path, monkeypatch, step: int):
    folder, draft = filled(tmp_path / "study" / "paper", "old"), filled(tmp_path / "draft", "new")
    left = iter([None] * step)

    def dying(real):
        def call(*args, **options):
            if next(left, "dead") == "dead":
                raise Killed
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", dying(shutil.rmtree))
        patch.setattr(shutil, "copytree", dying(shutil.copytree))
        patch.setattr(Path, "rename", dying(Path.rename))
        with pytest.raises(Killed):
            _replace(folder, draft)
    whole = [f for f in (folder, *_beside(folder)) if f.is_dir() and len(marks(f)) == 1]
    assert whole
    _recover(folder)
    assert marks(folder) in ({"old"}, {"new"})
    _replace(folder, draft)
    assert marks(folder) == {"new"} and [p.name for p in folder.parent.iterdir()] == ["paper"]
