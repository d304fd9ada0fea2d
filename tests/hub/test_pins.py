"""Pinning: what a name on the hub means, or one line that says why it means nothing."""

import hashlib

import pytest


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_is_its_commit_and_the_digests_of_the_files_that_are_used(client, hub, root):
    found = client.ask("pin_model('some/model')")
    folder = root / "models" / "some" / "model"
    names = ("config.json", "model.safetensors", "tokenizer.json")
    assert found["commit"] == hub.commit("some/model")
    assert found["files"] == {name: sha256(folder / name) for name in names}
    assert (found["parameters"], found["dtype"]) == (32, "BF16")
    assert hub.count("resolve") > 0 and hub.count("model.safetensors") == 0


def test_a_tag_means_the_commit_that_it_was_put_on(client, hub, root):
    hub.tag("some/model", "v1")
    before = hub.commit("some/model")
    (root / "models" / "some" / "model" / "config.json").write_text('{"model_type": "other"}')
    assert hub.commit("some/model") != before
    assert client.ask("pin_model('some/model', 'v1').commit") == before


def test_splits_are_found_by_the_names_of_the_files_in_order(client, hub, root):
    found = client.ask("pin_data('stanfordnlp/sst2')")
    folder = root / "datasets" / "stanfordnlp" / "sst2"
    assert found["commit"] == hub.commit("stanfordnlp/sst2", "datasets")
    assert [file["path"] for file in found["splits"]["train"]] == [
        "data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
    ]  # fmt: skip
    for files in found["splits"].values():
        for file in files:
            path = folder / file["path"]
            assert (file["sha256"], file["bytes"]) == (sha256(path), path.stat().st_size)
    assert hub.count(".parquet") == 0


def test_splits_are_found_by_the_card_of_a_configuration(client):
    found = client.ask("pin_data('nyu-mll/glue', 'sst2', None, lambda there: ['validation'])")
    (file,) = found["splits"].pop("validation")
    assert file["path"] == "sst2/validation-00000-of-00001.parquet" and not found["splits"]
    assert found["config"] == "sst2"


def test_a_small_file_that_git_keeps_is_fetched_to_be_hashed(client, hub, root):
    table = root / "datasets" / "some" / "table" / "train.csv"
    table.parent.mkdir(parents=True)
    table.write_text("text,label\nfine,1\n")
    (file,) = client.ask("pin_data('some/table')")["splits"]["train"]
    assert file == {"path": "train.csv", "sha256": sha256(table), "bytes": 18}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "pin_model('some/modle')",
            "ModelError: some/modle: the hub has no such model, or it is private: "
            "then set HF_TOKEN",
        ),
        (
            "pin_model('some/model', 'mian')",
            "ModelError: some/model: the hub has no revision 'mian' of it. Did you mean 'main'?",
        ),
        (
            "pin_data('nyu-mll/gleu')",
            "DataError: nyu-mll/gleu: the hub has no such data set, or it is private: "
            "then set HF_TOKEN",
        ),
        (
            "pin_data('nyu-mll/glue', 'sst')",
            "DataError: nyu-mll/glue: it has no configuration 'sst'. Did you mean 'sst2'?",
        ),
        (
            "pin_data('nyu-mll/glue')",
            "DataError: nyu-mll/glue: say which of it with `config:`. There are: cola, sst2.",
        ),
        (
            "pin_data('stanfordnlp/sst2', None, None, lambda there: ['dev'])",
            "DataError: stanfordnlp/sst2: it has no split 'dev'. There are: train, validation.",
        ),
    ],
)
def test_a_name_that_is_not_there_is_named_with_the_nearest_that_is(client, expression, said):
    assert client.ask(expression) == said


def test_what_cannot_be_used_is_named(client, root):
    model = root / "models" / "some" / "model"
    (model / "model.safetensors").rename(model / "weights.bin")
    script = root / "datasets" / "some" / "script"
    script.mkdir(parents=True)
    (script / "script.py").write_text("raise SystemExit('code from the hub was run')\n")
    assert client.ask("pin_model('some/model')") == (
        "ModelError: some/model: no safetensors on the hub, and pickles are not loaded"
    )
    assert client.ask("pin_data('some/script')") == (
        "DataError: some/script: it is a Python script, and code from the hub is not run: "
        "is there a Parquet copy?"
    )


def test_of_several_forms_of_the_weights_those_are_pinned_that_are_loaded(client, root):
    folder = root / "models" / "some" / "model"
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    (folder / "original").mkdir()
    for name in ("model-00001-of-00001", "consolidated", "model.fp16", "original/model"):
        (folder / f"{name}.safetensors").write_bytes(weights)
    found = client.ask("pin_model('some/model')")["files"]
    assert [name for name in found if "safetensors" in name] == [
        "model.safetensors.index.json", "model-00001-of-00001.safetensors",
    ]  # fmt: skip


def test_a_folder_of_the_data_sets_name_is_not_taken_for_it(client, tmp_path, monkeypatch):
    (tmp_path / "stanfordnlp" / "sst2").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert client.ask("pin_data('stanfordnlp/sst2')") == (
        "DataError: stanfordnlp/sst2: the folder stanfordnlp/sst2 here hides it: "
        "run from another folder"
    )


def test_a_gated_model_names_the_token_and_is_read_with_it(client, hub):
    hub.gate("some/model")
    assert client.ask("pin_model('some/model')") == (
        "ModelError: some/model: a gated model: accept its licence on its hub page, "
        "then set HF_TOKEN"
    )
    assert client.ask("pin_model('some/model')", HF_TOKEN="hf_other") == (
        "ModelError: some/model: a gated model: HF_TOKEN is set, but it has no access: accept the "
        "licence on its hub page with that account"
    )
    found = client.ask("pin_model('some/model')", HF_TOKEN="hf_good")
    assert found["commit"] == hub.commit("some/model")


def test_a_hub_that_cannot_be_asked_is_named(client):
    assert client.ask("pin_model('some/model')", HF_HUB_OFFLINE="1") == (
        "ModelError: some/model: HF_HUB_OFFLINE is set, and this must be asked of the hub"
    )
    nobody = client.ask("pin_model('some/model')", HF_ENDPOINT="http://127.0.0.1:9")
    assert nobody.startswith("ModelError: some/model: http://127.0.0.1:9 does not answer (")
    assert nobody.endswith("is there a network, is HF_ENDPOINT right?")
