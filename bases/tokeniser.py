"""Train the tokeniser that the bases share: `python bases/tokeniser.py FOLDER FILE...`.

The files are training shards of the corpus (bases/.corpus/train-*), so that no held-out document
is among them. Reads a seeded sample of them and writes tokenizer.json and tokenizer_config.json
into FOLDER.
"""

import random
import sys
from pathlib import Path

from smalltune.data.tables import stream_lines
from smalltune.models.tokenisers import train_bpe

VOCABULARY = 4096
CONTEXT = 1024
CHARACTERS = 24_000_000
PASSAGE = 20_000


def main(folder: Path, *files: Path) -> None:
    """Train on passages of 20,000 characters drawn from all documents of the files."""
    texts = [row["text"] for path in files for _, row in stream_lines(path)]
    passages = [t[i : i + PASSAGE] for t in texts for i in range(0, len(t), PASSAGE)]
    chosen = random.Random(0).sample(passages, min(len(passages), CHARACTERS // PASSAGE))
    train_bpe(chosen, VOCABULARY, folder, context=CONTEXT)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
