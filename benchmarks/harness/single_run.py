"""One short run in a process of its own, as scripts with Trainer and PEFT are usually written.

    python single_run.py METHOD FOLDER SEED OUT BATCH
    python single_run.py

Reads the rows of FOLDER, trains micro-llama, scores dev and test by the likelier label word, and
writes the weights and scores.json to OUT, the mean loss of training in it. Imports nothing of
smalltune but where its base lies. Without arguments it ends when all is imported.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
)

WORDS = {0: " bad", 1: " good"}


class InOrder(Trainer):
    """A Trainer that takes the rows in a given order."""

    order: list[int]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.order


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def supervised(tokeniser: Any, rows: list[dict[str, Any]]) -> list[dict[str, list[int]]]:
    """Return prompts with their label word, of which only the word is learned."""
    found = []
    for row in rows:
        prompt = tokeniser(row["prompt"])["input_ids"]
        word = tokeniser(WORDS[row["label"]], add_special_tokens=False)["input_ids"]
        labels = [-100] * len(prompt) + word
        found.append({"input_ids": prompt + word, "labels": labels})
    return found


def accuracy(model: Any, tokeniser: Any, rows: list[dict[str, Any]], batch: int) -> float:
    """Return the share of rows whose label word is the likelier one."""
    words = [tokeniser(word, add_special_tokens=False)["input_ids"][0] for word in WORDS.values()]
    tokeniser.padding_side, right = "left", 0
    for start in range(0, len(rows), batch):
        few = rows[start : start + batch]
        inputs = tokeniser([row["prompt"] for row in few], return_tensors="pt", padding=True)
        with torch.no_grad():
            logits = model(**inputs).logits[:, -1, words]
        right += sum(int(p) == row["label"] for p, row in zip(logits.argmax(-1), few, strict=True))
    return right / len(rows)


def main() -> None:
    """Train, score, write."""
    if len(sys.argv) == 1:
        return
    method, folder, seed, out, batch = sys.argv[1:]
    where = files("smalltune") / "embedded" / "models" / "micro-llama"
    tokeniser = AutoTokenizer.from_pretrained(str(where))
    model = AutoModelForCausalLM.from_pretrained(str(where), dtype=torch.float32)
    torch.manual_seed(int(seed))
    if method == "lora":
        model = get_peft_model(
            model,
            LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
    trainer = InOrder(
        model=model,
        args=TrainingArguments(
            out,
            per_device_train_batch_size=int(batch),
            num_train_epochs=1,
            learning_rate=3e-3 if method == "lora" else 3e-4,
            weight_decay=0.01,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=int(seed),
        ),
        train_dataset=supervised(tokeniser, read(Path(folder) / "train.jsonl")),
        data_collator=DataCollatorForSeq2Seq(tokeniser),
    )
    trainer.order = json.loads((Path(folder) / "orders.json").read_text())[int(seed)]
    loss = trainer.train().training_loss
    trainer.save_model(out)
    model.eval()
    scores = {
        "loss": loss,
        "dev_accuracy": accuracy(model, tokeniser, read(Path(folder) / "dev.jsonl"), int(batch)),
        "accuracy": accuracy(model, tokeniser, read(Path(folder) / "test.jsonl"), int(batch)),
    }
    (Path(out) / "scores.json").write_text(json.dumps(scores))


if __name__ == "__main__":
    main()
