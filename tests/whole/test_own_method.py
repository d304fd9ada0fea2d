"""The page on methods of one's own: its file and its entry make a study that runs."""

import json
import os
import re
from pathlib import Path

import yaml

PAGE = Path(__file__).parents[2] / "docs" / "own-method.md"
BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_method_of_the_page_runs_from_outside_the_package(workshop, monkeypatch):
    blocks = {file: text for _, file, text in BLOCK.findall(PAGE.read_text())}
    code = blocks.pop("mine/query_tuning.py")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    (workshop.folder / "mine").mkdir()
    (workshop.folder / "mine" / "query_tuning.py").write_text(code)
    entry = yaml.safe_load(blocks.pop("study.yaml"))
    assert not blocks
    whole = {"epochs": 8, "batch_size": 40}  # every step sees all rows: its losses compare
    workshop.write(**entry, contrasts=[], seeds=[0], keep_weights=True, training=whole)
    assert "is its folder on PYTHONPATH?" in workshop("plan").stderr

    path = [str(workshop.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    assert workshop.run()["trials"] == 1
    (facts,) = (json.loads(f) for f in workshop.files("train", "facts.json").values())
    assert facts["trainable_parameters"] == 32 * 32  # the first of two layers
    assert facts["final_loss"] < facts["first_loss"]
