"""One short run in a process of its own, as scripts with Trainer and PEFT are usually written.

    python single_run.py METHOD FOLDER SEED OUT BATCH [packed]
    python single_run.py

Reads the rows of FOLDER, trains micro-llama, scores dev and test by the likelier label word, and
writes the weights and scores.json to OUT, the mean loss of training in it. Imports nothing of
smalltune but where its base lies. `packed` lays rows end to end and computes the head only where
a label is, or where a label word is scored. Without arguments it ends when all is imported.
"""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    DataCollatorWithFlattening,
    Trainer,
    TrainingArguments,
)

WORDS = {0: " bad", 1: " good"}


class InOrder(Trainer):
    """A Trainer that takes the rows in a given order."""

    order: list[int]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.order


class LabelOnly(InOrder):
    """The same with logits only where there is a label."""

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the mean loss of the labels."""
        labels = inputs.pop("labels")[:, 1:]
        plain = model.get_base_model() if isinstance(model, PeftModel) else model
        states = plain.get_decoder()(**inputs, use_cache=False).last_hidden_state[:, :-1]
        read = labels != -100
        return torch.nn.functional.cross_entropy(plain.lm_head(states[read]), labels[read])


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


def accuracy(
    model: Any, tokeniser: Any, rows: list[dict[str, Any]], batch: int, **more: Any
) -> float:
    """Return the share of rows whose label word is the likelier one; `more` is for the model."""
    words = [tokeniser(word, add_special_tokens=False)["input_ids"][0] for word in WORDS.values()]
    tokeniser.padding_side, right = "left", 0
    for start in range(0, len(rows), batch):
        few = rows[start : start + batch]
        inputs = tokeniser([row["prompt"] for row in few], return_tensors="pt", padding=True)
        with torch.no_grad():
            logits = model(**inputs, **more).logits[:, -1, words]
        right += sum(int(p) == row["label"] for p, row in zip(logits.argmax(-1), few, strict=True))
    return right / len(rows)


def main() -> None:
    """Train, score, write."""
    if len(sys.argv) == 1:
        return
    method, folder, seed, out, batch, *how = sys.argv[1:]
    packed = how == ["packed"]
    scored = {"logits_to_keep": 1} if packed else {}
    where = files("smalltune") / "embedded" / "models" / "micro-llama"
    tokeniser = AutoTokenizer.from_pretrained(str(where))
    model = AutoModelForCausalLM.from_pretrained(str(where), dtype=torch.float32)
    torch.manual_seed(int(seed))
    if method == "lora":
        model = get_peft_model(
            model,
            LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
    trainer = (LabelOnly if packed else InOrder)(
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
        data_collator=(
            DataCollatorWithFlattening() if packed else DataCollatorForSeq2Seq(tokeniser)
        ),
    )
    trainer.order = json.loads((Path(folder) / "orders.json").read_text())[int(seed)]
    loss = trainer.train().training_loss
    trainer.save_model(out)
    model.eval()
    dev, test = (
        accuracy(model, tokeniser, read(Path(folder) / f"{role}.jsonl"), int(batch), **scored)
        for role in ("dev", "test")
    )
    scores = {"loss": loss, "dev_accuracy": dev, "accuracy": test}
    (Path(out) / "scores.json").write_text(json.dumps(scores))


if __name__ == "__main__":
    main()
