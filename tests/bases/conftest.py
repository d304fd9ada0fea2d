"""The bases' scripts are no package: their folder goes on the path while these tests run."""

import shutil
import sys
from pathlib import Path

import pytest
from bases.small import BASES, write_corpus, write_study

sys.path.insert(0, str(BASES))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder like bases/: a corpus, corpus.json and the three bases, trained for a few steps."""
    import smalltune as st

    root = tmp_path_factory.mktemp("all") / "bases"
    write_corpus(root)
    for name in ("micro-llama", "micro-qwen", "micro-deepseek"):
        report = st.load(write_study(root, name)).run(workers=1)
        assert not report.failed, report
    return root


@pytest.fixture
def workplace(made, tmp_path):
    """A copy of that folder, to be changed at will."""
    return Path(shutil.copytree(made, tmp_path / "bases"))
