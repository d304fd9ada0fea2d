"""Loading: formats, tied heads, what is refused; the numbers are those of Transformers."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from smalltune.core.errors import ModelError
from smalltune.engine.scoring import label_log_probs, log_likelihoods
from smalltune.engine.segments import Segments
from smalltune.models.families import Prompts
from smalltune.models.loading import load_model, load_tokeniser

FAMILIES = ("qwen2", "qwen2-untied", "qwen3", "llama2", "llama3", "deepseek-v2", "deepseek-v3")


@pytest.fixture
def copied(families, tmp_path):
    """A family's folder to spoil, by its name."""

    def give(name):
        return shutil.copytree(families(name), tmp_path / name)

    return give


def changed(folder, **values):
    """Change values of config.json; None takes one away."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({n: v for n, v in config.items() if v is not None}))
    return folder


def rewritten(folder, change):
    """Change the tensors of model.safetensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def some(vocabulary=300, n=8):
    rng = np.random.default_rng(0)
    sequences = [rng.integers(3, vocabulary, size=rng.integers(5, 30)) for _ in range(n)]
    return Segments.of(sequences, [len(s) - 2 for s in sequences], [0] * n)


def plainly(model, segments):
    """Return each segment's log-likelihood from whole logits, one text at a time."""
    found = []
    with torch.inference_mode():
        for i in range(len(segments)):
            ids = torch.from_numpy(segments[i].astype(np.int64))[None]
            logs = torch.log_softmax(model(input_ids=ids).logits[0], -1)
            rows = torch.arange(segments.answers[i] - 1, ids.shape[1] - 1)
            found.append(float(logs[rows, ids[0, rows + 1]].sum()))
    return np.array(found)


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_of_every_family_equal_those_of_transformers(families, name):
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(families(name), dtype=torch.float32).eval()
    found = log_likelihoods(load_model(families(name)), some())
    np.testing.assert_allclose(found, plainly(plain, some()), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["qwen", "tinyllama"])
def test_label_scores_on_real_shapes_equal_those_of_transformers(request, name):
    from transformers import AutoModelForCausalLM

    folder = request.getfixturevalue(name)
    prompts = Prompts(load_tokeniser(folder))
    texts = [f"{text}\nAll in all it was" for text in ("a fine film", "dull, dull, dull!", "so")]
    words = prompts.answers(texts[0], ("good", "bad"))
    asked = Segments.of(prompts.encode(texts), [1] * 3, [0] * 3)
    found = label_log_probs(load_model(folder), asked, words)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    columns = [plainly(plain, asked.followed_by(words, [which] * 3)) for which in range(len(words))]
    expected = torch.log_softmax(torch.from_numpy(np.stack(columns, axis=1)), -1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_checkpoint_of_any_format_is_float32_when_loaded(copied, dtype):
    def cast(tensors):
        tensors.update({name: tensor.to(dtype) for name, tensor in tensors.items()})

    folder = rewritten(copied("llama2"), cast)
    stored = load_file(folder / "model.safetensors")
    for name, parameter in load_model(folder).named_parameters():
        assert parameter.dtype is torch.float32
        assert torch.equal(parameter, stored[name].float())


def test_weights_in_several_files_are_those_of_one(copied, families):
    folder = copied("llama2")
    load_model(folder).to(torch.bfloat16).save_pretrained(folder, max_shard_size="40KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    whole, parts = load_model(families("llama2")), load_model(folder)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    sorted(folder.glob("model-*.safetensors"))[1].unlink()
    with pytest.raises(ModelError, match="this checkpoint cannot be loaded"):
        load_model(folder)


@pytest.mark.parametrize("stored", ["none", "the same", "another"])
def test_a_tied_head_may_be_stored_or_not(copied, stored):
    def store(tensors):
        tensors.pop("lm_head.weight", None)
        rows = tensors["model.embed_tokens.weight"]
        if stored != "none":
            tensors["lm_head.weight"] = rows.clone() * (1 if stored == "the same" else 2)

    model = load_model(rewritten(copied("qwen2"), store))
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (embedding is head) == (stored != "another")
    assert torch.equal(head, embedding * (2 if stored == "another" else 1))


def test_an_untied_head_is_its_own(families):
    model = load_model(families("qwen2-untied"))
    assert not torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


@pytest.mark.parametrize("lost", ["lm_head.weight", "model.layers.1.mlp.up_proj.weight"])
def test_a_tensor_that_is_missing_is_never_drawn_at_random(copied, lost):
    folder = rewritten(copied("llama2"), lambda tensors: tensors.pop(lost))
    with pytest.raises(ModelError) as error:
        load_model(folder)
    assert str(error.value) == (
        f"{folder}: the checkpoint lacks {lost}, which would be drawn at random: is it whole, "
        "and does config.json belong to it?"
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"architectures": ["LlamaForSequenceClassification"]}, "a LlamaForSequenceClassification"),
        ({"architectures": ["LlamaModel"]}, "a LlamaModel, and only causal language models"),
        ({"quantization_config": {"quant_method": "fp8"}}, r"the weights are quantised \(fp8\)"),
        ({"model_type": "brandnew"}, "cannot be loaded.*brandnew"),
        (
            {"model_type": "brandnew", "auto_map": {"AutoConfig": "configuration_x.X"}},
            "asks to run code of its own",
        ),
        ({"hidden_size": 64}, "cannot be loaded"),
        ({"num_hidden_layers": 3}, "the checkpoint lacks model.layers.2"),
    ],
)
def test_what_would_be_loaded_wrongly_is_refused(copied, values, message):
    folder = changed(copied("llama2"), **values)
    with pytest.raises(ModelError, match=message) as error:
        load_model(folder)
    assert str(error.value).startswith(f"{folder}: ") and "\n" not in str(error.value)


def test_no_code_of_a_model_runs_though_its_configuration_names_some(copied, tmp_path):
    trap = f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
    folder = changed(copied("llama2"), auto_map={"AutoConfig": "trap.X", "AutoModel": "trap.X"})
    (folder / "trap.py").write_text(trap)
    assert load_model(folder).config.model_type == "llama"
    assert not (tmp_path / "ran").exists()


def test_a_padding_token_beyond_the_vocabulary_does_no_harm(copied):
    model = load_model(changed(copied("llama2"), pad_token_id=320))
    assert model.get_input_embeddings().padding_idx is None


def test_a_tokeniser_must_fit_into_the_embedding(real, tmp_path):
    source = real("stories260K")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    for rows in (512, 640):
        (tmp_path / "config.json").write_text(json.dumps({"vocab_size": rows}))
        assert len(load_tokeniser(tmp_path)) == 512
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 500}))
    with pytest.raises(ModelError, match=r"as token 500, the model's embedding has 500 rows"):
        load_tokeniser(tmp_path)


def test_a_padding_token_without_a_row_is_none_that_a_text_can_need(real, tmp_path):
    source = real("stories260K")
    tokeniser = load_tokeniser(source)
    tokeniser.add_special_tokens({"pad_token": "[PAD]"})
    tokeniser.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 512}))
    assert load_tokeniser(tmp_path).pad_token_id == 512


def test_a_real_checkpoint_goes_on_with_its_story(real):
    folder = real("stories260K")
    if not (folder / "model.safetensors").is_file():
        pytest.skip("../shared/checkpoints/stories260K has no weights")
    model, tokeniser = load_model(folder), load_tokeniser(folder)
    ids = Prompts(tokeniser).encode([""])[0]
    assert ids == [tokeniser.bos_token_id]
    with torch.inference_mode():
        for _ in range(60):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    story = tokeniser.decode(ids, skip_special_tokens=True).strip()
    assert story.startswith(
        "Once upon a time, there was a little girl named Lily. "
        "She loved to play outside in the park."
    )
