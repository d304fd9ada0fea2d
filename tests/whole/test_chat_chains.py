"""A chat base that learns instructions, and LoRA after it: template, kill, export."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
import torch
from whole.conftest import Workshop, rows

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|endoftext|>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
PARTS = {"train": (24, 0), "dev": (8, 100), "test": (12, 200)}


def told(count, start):
    return [
        {"instruction": f"Say {'briefly ' * (n % 3)}what {n} is.", "output": f"It is {n * 7}."}
        for n in range(start, start + count)
    ]


@pytest.fixture(scope="module")
def calm(tmp_path_factory, tiny_folder, fits):
    """A study of a tiny chat base, run without disturbance."""
    folder = tmp_path_factory.mktemp("chat")
    for name in ("store", "stormy"):
        (folder / name).mkdir()
        (folder / name / "fits").symlink_to(fits)
    shutil.copytree(tiny_folder, folder / "base")
    (folder / "base" / "chat_template.jinja").write_text(TEMPLATE)
    for name, made in (("own", rows), ("chats", told)):
        for part, size in PARTS.items():
            lines = "".join(json.dumps(row) + "\n" for row in made(*size))
            (folder / f"{name}-{part}.jsonl").write_text(lines)
    files = {n: {p: f"{n}-{p}.jsonl" for p in PARTS} for n in ("own", "chats")}
    labels = {"label": "y", "labels": {"0": "bad", "1": "good"}, "prompt": "{text}\nIt was"}
    chats = {"kind": "instructions", "files": files["chats"], "longest": 24, "trained": False}
    content = {
        "name": "chat",
        "question": "Does it go on?",
        "models": {"tiny": {"source": "./base", "chat": True}},
        "tasks": {
            "own": {"kind": "classification", "files": files["own"], **labels},
            "chats": {**chats, "prompt": "{instruction}\n\n{input}"},
        },
        "methods": {
            "zero_shot": {"tasks": "chats"},
            "instruct": {"on": "chats", "tasks": "own", "steps": 3, "batch_size": 24},
            "further": {"method": "lora", "after": "instruct", "tasks": "own", "steps": 300},
        },
        "training": {"batch_size": 8},
        "seeds": 1,
        "keep_weights": True,
    }  # fmt: skip
    workshop = Workshop(folder, content).write()
    workshop.run()
    return workshop


def trial(workshop, method, store=None):
    record = json.loads(((store or workshop.store) / "plans" / "chat.json").read_text())
    return next(each for each in record["trials"] if each["method"] == method)


def artifact(workshop, key, store=None):
    return (store or workshop.store) / "artifacts" / key[:2] / key


def plainly(workshop, part):
    """Return by Transformers alone the nats per token of the answers in a part, with their end."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(workshop.folder / "base", dtype=torch.float32)
    tokeniser = AutoTokenizer.from_pretrained(workshop.folder / "base")
    total, count = 0.0, 0
    for row in told(*PARTS[part]):
        turns = [{"role": "user", "content": row["instruction"]}]
        asked = tokeniser.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        begin = len(tokeniser(asked, add_special_tokens=False).input_ids)
        whole = f"{asked}{row['output']}<|endoftext|>"
        ids = tokeniser(whole, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.no_grad():
            said = model(input_ids=ids).logits[0, begin - 1 : -1].log_softmax(-1)
        total -= float(said.gather(1, ids[0, begin:, None]).sum())
        count += len(ids[0]) - begin
    return total / count


def test_what_is_learned_are_the_answers_behind_the_template(calm):
    key = trial(calm, "instruct")["train"]
    log = (artifact(calm, key) / "log.jsonl").read_text().splitlines()
    assert json.loads(log[0])["loss"] == pytest.approx(plainly(calm, "train"), rel=1e-5)


def test_what_is_asked_stands_behind_the_same_template(calm):
    from smalltune.engine.segments import Segments
    from smalltune.models.loading import load_tokeniser

    key = trial(calm, "zero_shot")["score"]["test"]
    facts = json.loads((artifact(calm, key) / "facts.json").read_text())
    wanted = torch.tensor(plainly(calm, "test")).exp()
    assert facts["values"]["perplexity"] == pytest.approx(float(wanted), rel=1e-5)
    folder = artifact(calm, trial(calm, "further")["tokens"])
    asked = Segments.load(folder / "test.safetensors")
    text = load_tokeniser(calm.folder / "base").decode(asked[0])
    first = rows(*PARTS["test"])[0]["text"]
    assert text == f"<user>{first}\nIt was<|endoftext|><assistant>"


def test_a_chat_without_a_template_is_refused_before_anything_runs(calm, tmp_path):
    for path in calm.folder.glob("*.jsonl"):
        shutil.copy(path, tmp_path)
    shutil.copytree(calm.folder / "base", tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    bare = Workshop(tmp_path, calm.content).write()
    done = bare("run")
    assert done.returncode == 1
    assert "base: `chat: true`, but the model has no chat template" in done.stderr
    assert not list(bare.store.glob("artifacts/*"))


def test_a_kill_in_the_second_link_changes_no_bit_of_what_it_learns(calm):
    stormy, own = calm.folder / "stormy", trial(calm, "further")
    process = subprocess.Popen(
        calm.command("run", "--workers", "1", "--checkpoint-seconds", "0.05", store=stormy),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    midway, deadline = stormy / "work" / own["train"], time.monotonic() + 240
    while not (midway / "checkpoint.safetensors").is_file():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not artifact(calm, own["train"], stormy).exists(), "it was over before the kill"
    merged = artifact(calm, own["built"][1], stormy) / "provenance.json"
    before = merged.read_bytes()
    calm.run(store=stormy)
    assert merged.read_bytes() == before, "the first link is not made again"
    made = json.loads((artifact(calm, own["train"], stormy) / "provenance.json").read_text())
    assert max(made["resumed_from"]) > 0
    for key in (*own["built"], own["train"], own["score"]["test"]):
        names = [p.relative_to(artifact(calm, key)) for p in artifact(calm, key).rglob("*")]
        for name in names:
            one, other = artifact(calm, key) / name, artifact(calm, key, stormy) / name
            if one.is_file() and name.name != "provenance.json":
                assert one.read_bytes() == other.read_bytes(), name


def test_what_comes_after_another_is_exported_with_its_start_and_its_history(calm, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from smalltune.core.plugins import load
    from smalltune.models.loading import load_model

    out, own = tmp_path / "out", trial(calm, "further")
    done = calm("export", "tiny/further/own/0", str(out))
    assert done.returncode == 0, done.stderr
    ours = load_model(artifact(calm, own["built"][1]) / "model")
    load("smalltune.methods", "lora")().load(ours, artifact(calm, own["train"]) / "weights")
    start = AutoModelForCausalLM.from_pretrained(out / "base", dtype=torch.float32)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        wanted = ours.eval()(input_ids=ids).logits
        theirs = PeftModel.from_pretrained(start, out).eval()(input_ids=ids).logits
    torch.testing.assert_close(theirs, wanted, rtol=1e-5, atol=1e-5)
    card = (out / "README.md").read_text()
    first, second = (line for line in card.splitlines() if line[:3] in ("1. ", "2. "))
    assert "on `chats`" in first and '"steps": 3' in first
    assert "on `own`" in second and '"steps": 300' in second
    assert "base_model: ./base\n" in card and f"of `{calm.folder / 'base'}`" in card
    assert "as the user's turn" in card


def test_a_card_says_that_another_task_was_learned_than_the_one_asked(calm, tmp_path):
    done = calm("export", "tiny/instruct/own/0", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "out" / "README.md").read_text()
    assert "It was asked this task, and trained on another. It was trained to answer instr" in card
    assert "1. " in card and "2. " not in card
