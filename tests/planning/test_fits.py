"""What cannot work is said before anything runs: by `plan` and by `run`, with its line."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from smalltune import api
from smalltune.cli.commands import app
from smalltune.core.errors import StudyError
from smalltune.planning import fits

CONTENT = {
    "models": {"tiny": {"source": None}},
    "tasks": {
        "own": {
            "kind": "classification", "text": "t", "label": "y", "labels": {0: "bad", 1: "good"},
            "files": {"train": "all.jsonl", "dev": "all.jsonl", "test": "all.jsonl"},
        }
    },
    "seeds": [0],
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def study(tmp_path, tiny_folder):
    (tmp_path / "all.jsonl").write_text(
        "".join(json.dumps({"t": f"text {n}", "y": n % 2}) + "\n" for n in range(8))
    )

    def write(methods):
        content = {**CONTENT, "models": {"tiny": {"source": str(tiny_folder)}}, "methods": methods}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return tmp_path / "study.yaml"

    return write


def said(file, store, verb):
    done = CliRunner().invoke(app, [verb, str(file), "--store", str(store)])
    assert done.exit_code == 1 and "Traceback" not in done.output
    return done.output


def line_of(file, text):
    return 1 + next(n for n, line in enumerate(file.read_text().splitlines()) if text in line)


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_what_does_not_fit_a_model_is_said_with_the_line_of_the_option(study, store, verb):
    file = study({
        "lora": {"rank": 17}, "dora": {"target": ["q_prj"]}, "bitfit": {}, "full": {},
        "prompt_tuning": {"tokens": 255}, "prefix_tuning": {"tokens": 256},
    })  # fmt: skip
    found = said(file, store, verb)
    for line, text in (
        (line_of(file, "rank: 17"), "lora on tiny: rank 17 is larger than the smaller side of"),
        (line_of(file, "target:"), "dora on tiny: the target 'q_prj' is no linear layer"),
        (line_of(file, "bitfit:"), "bitfit on tiny: bitfit trains biases, and a LlamaForCausalLM"),
        (line_of(file, "tokens: 256"), "prefix_tuning on tiny: tokens 256 leave no room for a"),
    ):
        assert f"study.yaml:{line}: {text}" in found
    assert len(found.strip().splitlines()) == 4
    assert not list(store.glob("artifacts/*/*"))


def test_what_cannot_be_adapted_in_a_mixture_is_said_with_what_to_choose(study, store):
    file = study({"dora": {"target": "mlp"}, "lora": {"target": ["gate_proj"]}})
    content = yaml.safe_load(file.read_text()) | {"models": {"micro-deepseek": {}}}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    (found,) = said(file, store, "plan").strip().splitlines()
    assert f"study.yaml:{line_of(file, 'target: mlp')}: dora on micro-deepseek: PEFT has" in found
    assert "set `target: attention`, or choose `lora`" in found


def test_a_candidate_of_tuning_that_does_not_fit_is_found_too(study, store):
    file = study({"lora": {"tune": {"rank": [4, 40]}}})
    assert f"study.yaml:{line_of(file, 'lora')}: lora on tiny: rank 40 is" in said(
        file, store, "plan"
    )


def test_a_missing_package_is_named_with_its_extra(study, store, monkeypatch):
    there = fits.importlib.util.find_spec
    monkeypatch.setattr(
        fits.importlib.util, "find_spec", lambda n: None if n == "bitsandbytes" else there(n)
    )
    file = study({"full": {}, "qlora": {}})
    for verb in ("plan", "run"):
        message = (
            "qlora needs bitsandbytes, which is not installed: `pip install 'smalltune[4bit]'`"
        )
        assert said(file, store, verb).strip() == f"study.yaml:{line_of(file, 'qlora')}: {message}"


def test_an_answer_is_kept_and_found_again_by_content(study, tmp_path, monkeypatch):
    file = study({"lora": {}})
    one = api.load(file, tmp_path / "kept")
    assert one.checked == ()
    monkeypatch.setattr(fits.sys, "executable", "/nowhere/python")
    assert api.load(file, tmp_path / "kept").checked == ()
    again = api.load(study({"lora": {"learning_rate": 1e-3}}), tmp_path / "kept")
    assert again.checked == ()
    other = api.load(study({"lora": {"rank": 3}}), tmp_path / "kept")
    (remark,) = other.checked
    assert "were not compared with models beforehand" in remark and "/nowhere/python" in remark


def test_a_configuration_of_which_no_model_can_be_made_is_named(study, tmp_path, tiny_folder):
    folder = tmp_path / "quantised"
    folder.mkdir()
    for path in tiny_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq"}
    (folder / "config.json").write_text(json.dumps(config))
    file = study({"lora": {}})
    content = yaml.safe_load(file.read_text())
    content["models"]["tiny"]["source"] = str(folder)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(StudyError, match=r"study.yaml:2: .*the weights are quantised \(gptq\)"):
        _ = api.load(file, tmp_path / "store").checked


def test_nothing_is_asked_of_a_study_without_open_trials(study, store):
    file = study({"majority": {}, "full": {}})
    assert api.load(file, store).checked == ()
