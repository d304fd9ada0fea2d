"""The commit that is written down says whether the source is what was committed."""

import shutil
import subprocess

import pytest

from smalltune.core import provenance


@pytest.fixture
def source(tmp_path):
    """A folder `src/package` in a repository with one commit."""
    folder = tmp_path / "src" / "package"
    folder.mkdir(parents=True)
    (folder / "one.py").write_text("1")
    (tmp_path / "notes.txt").write_text("kept")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first")
    return folder


def git(folder, *asked):
    if shutil.which("git") is None:
        pytest.skip("there is no git here")
    done = subprocess.run(["git", "-C", folder, *asked], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_source_as_it_was_committed_is_named_by_its_commit(source):
    commit = provenance._commit(source)
    assert git(source, "rev-parse", "HEAD").startswith(commit)
    (source.parents[1] / "notes.txt").write_text("changed")
    assert provenance._commit(source) == commit


@pytest.mark.parametrize("change", ["another text", "another file", "no file"])
def test_a_source_that_differs_from_its_commit_is_dirty(source, change):
    clean = provenance._commit(source)
    if change == "another file":
        (source / "two.py").write_text("2")
    elif change == "another text":
        (source / "one.py").write_text("2")
    else:
        (source / "one.py").unlink()
    assert provenance._commit(source) == f"{clean}-dirty"


def test_outside_a_repository_and_without_git_there_is_no_commit(
    source, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    shutil.rmtree(tmp_path / ".git")
    assert provenance._commit(source) is None
    monkeypatch.setenv("PATH", str(source))
    assert provenance._commit(source) is None
    assert capfd.readouterr() == ("", "")
