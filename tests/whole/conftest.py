"""A real study on a tiny model and a table of one's own, run through the command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

WORDS = {
    "good": ["lovely", "great", "fine", "warm", "bright", "kind", "happy", "fresh", "neat", "calm"],
    "bad": ["awful", "dull", "cold", "broken", "rude", "stale", "noisy", "grim", "poor", "sad"],
}


def rows(count: int, start: int = 0) -> list[dict[str, object]]:
    """Return rows whose label can be learned from their words."""
    made = []
    for n in range(start, start + count):
        label = ("bad", "good")[n % 2]
        words = [WORDS[label][(n * k + k) % 10] for k in (1, 3, 7)]
        made.append(
            {"text": f"it was {words[0]} and {words[1]} number {n}, {words[2]}", "y": n % 2}
        )
    return made


@dataclass
class Workshop:
    """A folder with a study and a store, and the command line on them."""

    folder: Path
    content: dict

    @property
    def study(self) -> Path:
        return self.folder / "study.yaml"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def write(self, **changes: object) -> "Workshop":
        self.content |= changes
        self.study.write_text(yaml.safe_dump(self.content, sort_keys=False))
        return self

    def command(self, *words: str, store: Path | None = None) -> list[str]:
        """Return the command line `smalltune VERB STUDY --store STORE ...`."""
        place = str(store or self.store)
        return [
            sys.executable,
            "-m",
            "smalltune",
            words[0],
            str(self.study),
            "--store",
            place,
            *words[1:],
        ]

    def __call__(self, *words: str, store: Path | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*words, store=store),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self, *words: str, store: Path | None = None) -> dict:
        """Run the study; return what `run --json` reports; fail loudly otherwise.

        With one worker unless `words` say how many: a second one takes longer to start than a tiny
        study takes.
        """
        workers = () if "--workers" in words else ("--workers", "1")
        done = self("run", "--json", *workers, *words, store=store)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def files(self, stage: str, name: str, store: Path | None = None) -> dict[str, bytes]:
        """Return key to bytes of a file in every artifact of a stage."""
        found = {}
        for path in (store or self.store).glob("artifacts/*/*/manifest.json"):
            if json.loads(path.read_text())["stage"] == stage:
                found[path.parent.name] = (path.parent / name).read_bytes()
        return found


@pytest.fixture(scope="session")
def fits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What methods said of models: the stores of one session, of all its processes, ask once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "fits"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, tiny_folder: Path, fits: Path) -> Workshop:
    """A study with every kind of method: two seeds, forty training rows, a tiny model."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "fits").symlink_to(fits)
    for name, count, start in (("train", 40, 0), ("dev", 12, 100), ("test", 20, 200)):
        lines = [json.dumps(row) + "\n" for row in rows(count, start)]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    content = {
        "name": "tiny",
        "title": "A tiny study",
        "question": "Does it run?",
        "models": {
            "tiny": {"source": os.path.relpath(tiny_folder, tmp_path), "why": "It is small."}
        },
        "tasks": {
            "own": {
                "kind": "classification",
                "files": {name: f"{name}.jsonl" for name in ("train", "dev", "test")},
                "text": "text",
                "label": "y",
                "labels": {"0": "bad", "1": "good"},
                "prompt": "{text}\nIt was",
                "why": "It can be learned.",
            }
        },
        "methods": {
            name: {"why": "To compare."}
            for name in ("majority", "tfidf", "zero_shot", "full", "lora")
        },
        "training": {"epochs": 2, "batch_size": 8},
        "seeds": [0, 1],
        "metrics": ["accuracy", "nll"],
        "contrasts": ["lora - full"],
    }
    return Workshop(tmp_path, content).write()
