"""A hub on loopback with small repositories, and clients in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub.server import Hub

ASK = """
import dataclasses, json, sys
from smalltune.core.errors import SmalltuneError
from smalltune.hub import *
try:
    value = eval(sys.argv[1])
except SmalltuneError as error:
    print(json.dumps({"error": type(error).__name__ + ": " + str(error)}))
else:
    value = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
    print(json.dumps({"value": value}, default=str))
"""


def write_model(folder: Path) -> None:
    """Write a model's folder of a few bytes, without any library."""
    folder.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 32}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    (folder / "README.md").write_text("# A model\n")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    entry = {"dtype": "BF16", "shape": [8, 4], "data_offsets": [0, 64]}
    header = json.dumps({"a": entry}).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(range(64))
    (folder / "model.safetensors").write_bytes(weights)


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a table as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def reviews(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Return rows with SST-2's columns."""
    words = {0: ("dull", "cold", "grim"), 1: ("warm", "bright", "fine")}
    return [
        {
            "idx": n,
            "sentence": f"it was {words[n % 2][n % 3]} for reason {n * 7919}",
            "label": n % 2,
        }
        for n in range(start, start + count)
    ]


GLUE = """\
---
configs:
- config_name: sst2
  data_files:
  - {split: train, path: sst2/train-*}
  - {split: validation, path: sst2/validation-*}
- config_name: cola
  data_files:
  - {split: train, path: cola/train-*}
---
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the hub's folder: a model, data by the names of their files, data by a card."""
    root = tmp_path / "hub"
    write_model(root / "models" / "some" / "model")
    data = root / "datasets"
    for part in (0, 1):
        name = f"train-{part:05d}-of-00002.parquet"
        write_table(data / "stanfordnlp" / "sst2" / "data" / name, reviews(40, 40 * part))
    for folder in (data / "stanfordnlp" / "sst2" / "data", data / "nyu-mll" / "glue" / "sst2"):
        write_table(folder / "validation-00000-of-00001.parquet", reviews(20, 100))
    for config in ("sst2", "cola"):
        write_table(data / "nyu-mll" / "glue" / config / "train-0.parquet", reviews(80))
    (data / "nyu-mll" / "glue" / "README.md").write_text(GLUE)
    return root


@pytest.fixture
def hub(root: Path) -> Iterator[Hub]:
    """A running hub."""
    with Hub(root) as running:
        yield running


@dataclass
class Client:
    """Processes that share a cache and talk to the hub; each reads the environment anew."""

    hub: Hub
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of a process."""
        return {**os.environ, **self.hub.environment(self.home), **more}

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments."""
        return subprocess.run(
            [sys.executable, *command],
            env=self.environment(**more), capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    def ask(self, expression: str, **more: str) -> Any:
        """Return what an expression on `smalltune.hub` gives, an error as its text."""
        done = self.run("-c", ASK, expression, **more)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        return found.get("error") or found["value"]


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    """A client with an empty cache."""
    return Client(hub, tmp_path / "hf")
