"""Train the tokeniser that the bases share: `python bases/tokeniser.py FOLDER FILE...`.

Reads a seeded sample of the documents that a language-modelling study trains on (never of the
held-out ones) and writes tokenizer.json and tokenizer_config.json into FOLDER.
"""

import random
import sys
from pathlib import Path

from smalltune.models.tokenisers import train_bpe
from smalltune.tasks.language_modelling import OwnText

VOCABULARY = 4096
CONTEXT = 1024
CHARACTERS = 24_000_000
PASSAGE = 20_000


def main(folder: Path, *files: Path) -> None:
    """Train on passages of 20,000 characters drawn from all training documents."""
    rows = OwnText().split({path.name.partition(".")[0]: path for path in files}).train
    texts = [row.fields["text"] for row in rows]
    passages = [t[i : i + PASSAGE] for t in texts for i in range(0, len(t), PASSAGE)]
    chosen = random.Random(0).sample(passages, min(len(passages), CHARACTERS // PASSAGE))
    train_bpe(chosen, VOCABULARY, folder, context=CONTEXT)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
