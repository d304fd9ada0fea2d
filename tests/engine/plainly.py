"""The plain way, against which the engine's is held: Transformers' own forward, text by text.

Models are the families' micro bases with two layers, float32, and weights under which attention
is anything but uniform.
"""

from pathlib import Path

import numpy as np
import torch

from smalltune.engine.segments import Segments

BASES = Path(__file__).parents[2] / "bases"
FAMILIES = ("micro-llama", "micro-qwen", "micro-qwen2", "micro-deepseek")
LEAN = FAMILIES[:3]

BATCHES = {
    "one segment": [17],
    "equal lengths": [9, 9, 9, 9],
    "very unequal lengths": [3, 90, 4, 41, 2, 200, 5, 43, 42],
    "a segment of one token": [12, 1, 7],
}


def built(name, **changes):
    """Return a model of a family with attention by Transformers' plain (eager) code."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(BASES / name / "config")
    for field, value in {"num_hidden_layers": 2, **changes}.items():
        setattr(config, field, value)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return lively(model)


def lively(model):
    """Return the model with peaked attention, and norms and biases that are not one and zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
            elif any(part in name for part in ("q_proj", "k_proj", "kv_a_proj")):
                parameter.mul_(6)
    return model.train()


def some(lengths, seed=0, most=3):
    """Return random segments of these lengths whose last one to three tokens are supervised."""
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(1, 4096, size=n) for n in lengths]
    answers = [max(1, n - int(rng.integers(1, most + 1))) for n in lengths]
    return Segments.of(sequences, answers, [0] * len(lengths))


def loss_of(model, data):
    """Return the mean loss by right padding, an attention mask, labels of -100, all logits."""
    width = max(data.lengths)
    ids = torch.zeros(len(data), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row in range(len(data)):
        tokens = torch.from_numpy(data[row].astype(np.int64))
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        labels[row, data.answers[row] : len(tokens)] = tokens[data.answers[row] :]
    return model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


def states_of(model, data):
    """Return the last hidden states of each segment, fed alone."""
    found = []
    with torch.no_grad():
        for row in range(len(data)):
            ids = torch.from_numpy(data[row].astype(np.int64))[None]
            found.append(model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[0])
    return found


def log_likelihood(model, prompt, ending):
    """Return the log-likelihood of an ending after a prompt, fed alone."""
    ids = torch.tensor([[*(int(t) for t in prompt), *(int(t) for t in ending)]])
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=ids, use_cache=False).logits[0], -1)
    first = len(prompt) - 1
    return float(sum(logs[first + place, int(token)] for place, token in enumerate(ending)))


def gradients(model, loss):
    """Return the gradient of each parameter that has one, and forget them."""
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def apart(found, expected):
    """Return the distance of two collections of tensors over the size of the second."""
    assert found.keys() == expected.keys()
    distance = sum((found[n] - expected[n]).detach().double().square().sum() for n in expected)
    size = sum(expected[n].detach().double().square().sum() for n in expected)
    return float((distance / size).sqrt())
