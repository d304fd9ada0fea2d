"""Freshness: a paper that stands is taken as it is only while no file of it was touched."""

from pathlib import Path

import pytest

from smalltune.api.papers import _before, _digests, _outputs
from smalltune.core.store import write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a paper with files at every depth, and its note beside it."""
    folder = tmp_path / "paper"
    for name in ("paper.tex", "paper.bbl", "sections/results.tex", "figures/scores.pdf"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    said = {"stamp": "s", "files": _digests(_outputs(folder)), "report": {"pages": 1}}
    write_json(tmp_path / "note.json", said)
    return folder


def test_an_untouched_paper_is_not_written_again(folder: Path):
    assert _before(folder.parent / "note.json", "s", folder) == {"pages": 1}
    assert _before(folder.parent / "note.json", "another", folder) is None


@pytest.mark.parametrize("name", ["paper.bbl", "sections/results.tex", "figures/scores.pdf"])
def test_a_file_that_is_gone_makes_the_paper_stale(folder: Path, name: str):
    (folder / name).unlink()
    assert _before(folder.parent / "note.json", "s", folder) is None


@pytest.mark.parametrize("name", ["paper.bbl", "sections/results.tex", "figures/scores.pdf"])
def test_a_file_edited_by_hand_makes_the_paper_stale(folder: Path, name: str):
    (folder / name).write_text("edited")
    assert _before(folder.parent / "note.json", "s", folder) is None


def test_a_file_beside_ours_makes_the_paper_stale(folder: Path):
    (folder / "sections" / "leftover.tex").write_text("x")
    assert _before(folder.parent / "note.json", "s", folder) is None
