"""How many numbers each method trains, from the configuration of a base alone.

Written apart from the methods, which read the shapes of a model: what a test compares must not be
one sum computed twice. A matrix is [out, in]; experts are [experts, out, in].
"""

from math import prod

__all__ = ["FORMULAS", "counted"]


class Shapes:
    """The sizes of a base of the families Llama, Qwen2, Qwen3 and DeepSeek, by its config.json."""

    def __init__(self, told):
        self.told = told
        self.hidden, self.layers = told["hidden_size"], told["num_hidden_layers"]
        self.heads, self.shared = told["num_attention_heads"], told["num_key_value_heads"]
        self.head = told.get("head_dim") or self.hidden // self.heads
        self.latent = told.get("kv_lora_rank")
        self.mixture = told.get("n_routed_experts")
        self.names_norms = told["model_type"] == "qwen3"
        self.biased = told["model_type"] == "qwen2"

    def attention(self):
        """Yield the names and shapes of a layer's attention."""
        d = self.hidden
        if not self.latent:
            yield "q_proj", (self.heads * self.head, d)
            yield "k_proj", (self.shared * self.head, d)
            yield "v_proj", (self.shared * self.head, d)
            yield "o_proj", (d, self.heads * self.head)
            return
        plain, turned = self.told["qk_nope_head_dim"], self.told["qk_rope_head_dim"]
        value = self.told["v_head_dim"]
        yield "q_proj", (self.heads * (plain + turned), d)
        yield "kv_a_proj_with_mqa", (self.latent + turned, d)
        yield "kv_b_proj", (self.heads * (plain + value), self.latent)
        yield "o_proj", (d, self.heads * value)

    def dense(self, layer):
        """Yield the names and shapes of the MLP that every token of a layer meets."""
        inner = self.told["intermediate_size"]
        if self.mixture and layer >= self.told["first_k_dense_replace"]:
            inner = self.told["moe_intermediate_size"] * self.told["n_shared_experts"]
        for name in ("gate_proj", "up_proj"):
            yield name, (inner, self.hidden)
        yield "down_proj", (self.hidden, inner)

    def experts(self, layer):
        """Yield the names and shapes of a layer's routed experts."""
        if self.mixture and layer >= self.told["first_k_dense_replace"]:
            inner = self.told["moe_intermediate_size"]
            yield "gate_up_proj", (self.mixture, 2 * inner, self.hidden)
            yield "down_proj", (self.mixture, self.hidden, inner)

    def matrices(self, target):
        """Return the shapes of a target's matrices in all layers: a part, or names."""
        found = []
        for layer in range(self.layers):
            parts = {
                "attention": list(self.attention()),
                "mlp": [*self.dense(layer), *self.experts(layer)],
            }
            both = [*parts["attention"], *parts["mlp"]]
            wanted = parts.get(target, both) if isinstance(target, str) else both
            found += [s for n, s in wanted if isinstance(target, str) or n in target]
        return found

    def norms(self, layer):
        """Return the numbers in a layer's norms."""
        inside = 2 * self.head if self.names_norms else self.latent or 0
        return 2 * self.hidden + inside

    def biases(self):
        """Return the numbers in a layer's biases: Qwen2 has them at queries, keys and values."""
        return (self.heads + 2 * self.shared) * self.head if self.biased else 0

    def layer(self, layer):
        """Return the numbers in a decoder layer, its router with it."""
        matrices = [*self.attention(), *self.dense(layer), *self.experts(layer)]
        routed = self.mixture and layer >= self.told["first_k_dense_replace"]
        router = self.mixture * self.hidden if routed else 0
        return sum(prod(s) for _, s in matrices) + router + self.norms(layer) + self.biases()


def low_rank(shapes, method, *, target=None):
    """rank (a + b) for each matrix."""
    return sum(
        (s[0] if len(s) == 3 else 1) * method.rank * (s[-2] + s[-1])
        for s in shapes.matrices(target or method.target)
    )


def narrow(shapes, method):
    """Return a target without what PEFT has no variant for."""
    return "attention" if shapes.mixture and method.target == "all-linear" else method.target


def pissa(shapes, method):
    return low_rank(shapes, method, target=narrow(shapes, method))


def dora(shapes, method):
    target = narrow(shapes, method)
    return low_rank(shapes, method, target=target) + sum(s[0] for s in shapes.matrices(target))


def whole(shapes, method):
    tables = 1 if shapes.told["tie_word_embeddings"] else 2
    layers = sum(shapes.layer(layer) for layer in range(shapes.layers))
    return tables * shapes.told["vocab_size"] * shapes.hidden + layers + shapes.hidden


def last_layer(shapes, method):
    last = range(shapes.layers - method.layers, shapes.layers)
    return sum(shapes.layer(layer) for layer in last) + shapes.hidden


def norm_tuning(shapes, method):
    return sum(shapes.norms(layer) for layer in range(shapes.layers)) + shapes.hidden


def bitfit(shapes, method):
    return shapes.layers * shapes.biases()


def adapter(shapes, method):
    each = 2 * shapes.hidden * method.width + shapes.hidden + method.width
    return {"houlsby": 2, "pfeiffer": 1}[method.placement] * shapes.layers * each


def ia3(shapes, method):
    scaled = dict(shapes.attention())
    rows = sum(scaled[n][0] for n in ("k_proj", "v_proj", "kv_b_proj") if n in scaled)
    inner = sum(dict(shapes.dense(layer))["down_proj"][1] for layer in range(shapes.layers))
    return shapes.layers * rows + inner


def prefix_tuning(shapes, method):
    kept = 2 * shapes.shared * shapes.head
    if shapes.latent:
        kept = shapes.latent + shapes.told["qk_rope_head_dim"]
    return shapes.layers * method.tokens * kept


def prompt_tuning(shapes, method):
    return method.tokens * shapes.hidden


FORMULAS = {
    "adapter": adapter, "bitfit": bitfit, "dora": dora, "from_scratch": whole, "full": whole,
    "ia3": ia3, "instruct": whole, "last_layer": last_layer, "lora": low_rank,
    "lora_plus": low_rank, "norm_tuning": norm_tuning, "pissa": pissa,
    "prefix_tuning": prefix_tuning, "pretrain": whole, "prompt_tuning": prompt_tuning,
    "qlora": low_rank, "rslora": low_rank,
}  # fmt: skip


def counted(name, method, told):
    """Return how many numbers a method with its options trains of a base of this config.json."""
    return FORMULAS[name](Shapes(told), method)
