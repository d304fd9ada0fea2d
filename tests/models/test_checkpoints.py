"""What the lock learns of a checkpoint without PyTorch."""

import json
import shutil

import pytest

from smalltune.core.errors import ModelError
from smalltune.models.loading import load_model
from smalltune.planning.checkpoints import facts, read_checkpoint


def tokenised(folder):
    """Give a folder a tokeniser's file, so that it is a whole checkpoint."""
    (folder / "tokenizer.json").write_text("{}")
    return folder


@pytest.fixture
def parts(families, tmp_path):
    """A checkpoint in several files with their index."""
    folder = tokenised(shutil.copytree(families("llama2"), tmp_path / "parts"))
    load_model(folder).save_pretrained(folder, max_shard_size="40KB")
    (folder / "model.safetensors").unlink()
    return folder


def test_a_real_configuration_says_size_format_and_context(qwen):
    found = read_checkpoint(qwen)
    assert (found.dtype, found.config["max_position_embeddings"]) == ("BF16", 32768)
    assert found.parameters == sum(p.numel() for p in load_model(qwen).parameters())
    said = facts(found.config, found.parameters, found.dtype)
    assert (said["dtype"], said["embedding_parameters"]) == ("bfloat16", 151936 * 896)


def test_weights_in_several_files_count_once(parts, families):
    whole = sum(p.numel() for p in load_model(families("llama2")).parameters())
    assert read_checkpoint(parts).parameters == whole
    more = sorted(parts.glob("model-*.safetensors"))[0]
    shutil.copyfile(more, parts / "consolidated.safetensors")  # as some hub folders have it
    assert read_checkpoint(parts).parameters == whole


def test_a_file_that_the_index_names_must_be_there(parts):
    lost = sorted(parts.glob("model-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ModelError) as error:
        read_checkpoint(parts)
    assert str(error.value) == (
        f"{lost}: no such file, and model.safetensors.index.json names it. Get it again"
    )


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"weight_map": 3})])
def test_a_torn_index_is_named(parts, text):
    (parts / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelError, match="not an index of safetensors files"):
        read_checkpoint(parts)
