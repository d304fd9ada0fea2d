"""The study of real models, run in small: its four ids on a hub of our own, random weights."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hub.server import Hub
from models.checkpoints import checkpoint, shallow, write

STUDY = Path(__file__).parents[2] / "studies" / "real-models" / "study.yaml"
IDS = {
    "qwen2": "Qwen/Qwen2.5-0.5B",
    "qwen3": "Qwen/Qwen3-0.6B",
    "llama3": "meta-llama/Llama-3.2-1B",
    "deepseek-r1": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
}
SMALL = (
    "seeds=1",
    "tasks.sst2.limit.train=16",
    "tasks.sst2.dev={rows: 8, whole: false}",
    "training.steps=2",
    "training.batch_size=4",
)
NARROW = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 40960,
}
ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
CONTINUE = """
import sys
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer
model = AutoPeftModelForCausalLM.from_pretrained(sys.argv[1])
assert model.peft_config["default"].base_model_name_or_path == sys.argv[2]
tokeniser = AutoTokenizer.from_pretrained(sys.argv[1])
turn = [{"role": "user", "content": "So so.\\nAnswer with one word."}]
print(tokeniser.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))
"""
WORDS = {0: ("dull", "cold", "grim"), 1: ("warm", "bright", "fine")}


def table(path: Path, count: int, start: int, hidden: bool = False) -> None:
    """Write a split with SST-2's columns; a hidden label is -1, as in GLUE's test split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"idx": n, "sentence": f"a {WORDS[n % 2][n % 3]} film about the number {n * 7919} ",
         "label": -1 if hidden else n % 2}
        for n in range(start, start + count)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with the study's four models, two instruct forms and SST-2's files."""
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config

    root = tmp_path_factory.mktemp("hub")
    models, data = root / "models", root / "datasets" / "stanfordnlp" / "sst2" / "data"
    qwen, tiny, deepseek = map(checkpoint, ("Qwen2.5-0.5B", "TinyLlama-1.1B", "deepseek-llm"))
    rows = {"vocab_size": 151936, "bos_token_id": 151643, "eos_token_id": 151643}
    write(models / IDS["qwen2"], shallow(qwen), qwen)
    write(models / IDS["qwen3"], Qwen3Config(**NARROW, **rows, tie_word_embeddings=True), qwen)
    llama = LlamaConfig(**NARROW, rope_parameters=ROPE, tie_word_embeddings=True)
    write(models / IDS["llama3"], llama, tiny)
    untied = Qwen2Config(**{**NARROW, "vocab_size": 102400}, tie_word_embeddings=False)
    write(models / IDS["deepseek-r1"], untied, deepseek)
    instruct = models / f"{IDS['qwen2']}-Instruct"
    write(instruct, Qwen2Config(**{**NARROW, **rows}, tie_word_embeddings=True), qwen)
    config = json.loads((instruct / "tokenizer_config.json").read_text())
    config["eos_token"] = "<|im_end|>"
    (instruct / "tokenizer_config.json").write_text(json.dumps(config))
    table(data / "train-00000-of-00001.parquet", 60, 0)
    table(data / "validation-00000-of-00001.parquet", 12, 100)
    table(data / "test-00000-of-00001.parquet", 12, 200, hidden=True)
    with Hub(root) as running:
        yield running


@pytest.fixture
def type_(hub, tmp_path_factory):
    """Type a verb on a copy of the study in a process of its own; return what it printed."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copyfile(STUDY, folder / "study.yaml")
    variables = {**os.environ, **hub.environment(folder / "hf")}

    def run(verb, *words, fails=False):
        command = [sys.executable, "-m", "smalltune", verb, str(folder / "study.yaml"), *words]
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=600
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr if fails else done.stdout

    def python(code, *words):
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, env=variables, capture_output=True, text=True).stdout

    run.folder, run.python = folder, python
    return run


def test_the_study_locks_plans_and_runs_on_every_model(type_, hub):
    type_("lock")
    lock = json.loads((type_.folder / "study.lock").read_text())
    assert {name: model["ref"] for name, model in lock["models"].items()} == {
        name: f"hub:{source}@{hub.commit(source)}" for name, source in IDS.items()
    }
    assert {model["dtype"] for model in lock["models"].values()} == {"BF16"}
    planned = json.loads(type_("plan", "--json", "--no-forecast"))["states"]
    seeds, models = (
        yaml.safe_load(STUDY.read_text())["seeds"],
        len(IDS),
    )  # majority, tfidf; zero_shot; full, lora
    trials = seeds + seeds + models + 2 * seeds * models
    assert planned == {"done": 0, "missing": trials, "failed": 0, "stale": 0}
    assert hub.count(".safetensors", "GET") == hub.count(".parquet", "GET") == 0

    done = json.loads(type_("run", "--json", "--workers", "1", *SMALL))
    assert (done["trials"], done["failed"], done["blocked"]) == (14, [], [])
    found = json.loads(type_("results", "--json", *SMALL))
    assert found["complete"]
    asked = {("-", "majority"), ("-", "tfidf")}
    asked |= {(model, how) for model in IDS for how in ("zero_shot", "full", "lora")}
    for split, items in (("dev", 8), ("test", 12)):
        rows = [e for e in found["estimates"] if (e["split"], e["metric"]) == (split, "accuracy")]
        assert {(row["model"], row["method"]) for row in rows} == asked
        assert all(row["items"] == items and 0 <= row["value"] <= 1 for row in rows)
    losses = {
        (e["model"], e["method"]): e["value"]
        for e in found["estimates"]
        if (e["split"], e["metric"]) == ("test", "nll")
    }
    for model in IDS:  # training did something, to every model
        assert len({losses[model, how] for how in ("zero_shot", "full", "lora")}) == 3


def instruct(type_, **model):
    """Write the study with one model only, in its instruct form, with small values."""
    content = yaml.safe_load((type_.folder / "study.yaml").read_text())
    content["methods"] = {name: content["methods"][name] for name in ("zero_shot", "lora")}
    content["contrasts"] = ["lora - zero_shot"]
    content["models"] = {"it": {"why": "It converses.", "chat": True, **model}}
    content["tasks"]["sst2"] |= {
        "prompt": "{sentence}\nIs this film review good or bad? Answer with one word.",
        "limit": {"train": 8},
        "dev": {"rows": 8, "whole": False},
    }
    content |= {"seeds": 1, "keep_weights": True, "training": {"steps": 1, "batch_size": 4}}
    (type_.folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def test_an_instruct_form_is_asked_by_its_template_and_its_adapter_names_it(type_, hub):
    name = f"{IDS['qwen2']}-Instruct"
    instruct(type_, source=name)
    type_("lock")
    done = json.loads(type_("run", "--json", "--workers", "1"))
    assert (done["trials"], done["failed"]) == (2, [])

    type_("export", "it/lora/sst2/0", str(type_.folder / "out"))
    adapter = json.loads((type_.folder / "out" / "adapter_config.json").read_text())
    assert (adapter["base_model_name_or_path"], adapter["revision"]) == (name, hub.commit(name))
    card = (type_.folder / "out" / "README.md").read_text()
    assert f"base_model: {name}\n" in card
    done = type_.python(CONTINUE, str(type_.folder / "out"), name)
    assert done.endswith("Answer with one word.<|im_end|>\n<|im_start|>assistant\n\n"), done


def test_a_chat_with_a_base_that_has_no_template_ends_in_one_message(type_):
    instruct(type_, source=IDS["llama3"])
    type_("lock")
    said = type_("run", "--until", "tokens", fails=True)
    assert (
        "meta-llama/Llama-3.2-1B: `chat: true`, but the model has no chat template: say "
        "`chat: false`, or name the model's instruct form as the source"
    ) in " ".join(said.split())
    assert "Traceback" not in said
