"""Report: agreement.json as AGREEMENT.md. It knows numbers, not how they came."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

__all__ = ["report"]

Record = Mapping[str, Any]

HEAD = """# Agreement with lm-evaluation-harness

Written by `make bench ONLY=agreement` from what it measured; `agreement.json` holds the same
numbers. The run fails when a log-likelihood differs by more than {limit:g} nats, when an accuracy
is not the same number, when one item is answered otherwise, or when one item was read as other
tokens.

smalltune's side is a study: rows prepared, tokenised, predicted and scored by `study.run()` with
the method `zero_shot`, then read from the store. lm-evaluation-harness's side is a task of its own
with its own prompt, run in its usual way (`HFLM`, batches of 16, padded). Both read the same rows
and load the same weights in float32 on the CPU.

**{verdict}**
"""

NOTES = """## How to read it

- *Cut* are items that do not fit into the base's context with their longest choice. smalltune cuts
  the passage and never the question, lm-evaluation-harness cuts whatever stands first, so they
  are asked different things: these items are left out of every other column, and counted.
- *Other tokens* counts items whose tokens, of the prompt or of a choice, are not the same on both
  sides, one by one. Each side finds the border between prompt and choice by itself; both give a
  space at the end of a prompt to the choice. Where a prompt ends in a line break they do not agree,
  and no set here does: lm-evaluation-harness counts the break to the choice, smalltune to the
  prompt. And lm-evaluation-harness puts its `target_delimiter`, a space, before a choice also
  where the prompt ends in one, smalltune does not: `sst2-phrases` sets it to nothing.
- *Log-likelihood* is the largest difference over all items and choices, of the sum over a
  choice's tokens. For texts to choose among it is compared as stored. For label words the store
  keeps only what they are over the labels (*over the labels*); there the sums come from the same
  engine on the stored tokens.
- *Other answers* counts items for which another choice is the best. `acc_norm` divides by
  characters and `acc_bytes` by bytes: `normalise: characters` and `normalise: bytes`.
- SQuAD offers no choices: they are the answer and those to three other questions of the same
  article, drawn by a seed (`benchmarks/agreement/draws.py`).
- *Chosen* counts how often the first choice, the second and so on was the best. The bases are
  small, most were trained for none of this and answer some sets nearly always alike: there an
  equal accuracy says little, and the log-likelihoods say it. No accuracy here says anything about
  smalltune.
"""

TRAINED = """- *micro-llama-sst2* is micro-llama after a short training on SST-2's training rows
  ({training}):
  trained by smalltune for this comparison, written by its `export` and read from there by both.
"""

COLUMNS = (
    "set", "metric", "items", "cut", "compared", "smalltune", "lm-eval", "chosen", "other answers",
    "other tokens", "log-likelihood", "over the labels",
)  # fmt: skip


def report(record: Record) -> str:
    """Return the whole page."""
    wrong = record["faults"]
    verdict = "Nothing is outside the tolerances." if not wrong else "Outside the tolerances:"
    parts = [HEAD.format(limit=record["limit"], verdict=verdict)]
    if wrong:
        parts.append("\n".join(f"- {fault}" for fault in wrong) + "\n")
    for name, base in record["bases"].items():
        parts += [f"## {name}, context {base['context']}\n", _table(COLUMNS, _rows(base["found"]))]
    parts += [_notes(record), "## What was asked\n", *_asked(record)]
    parts += ["## With what\n", _table(("", ""), list(_environment(record)))]
    parts += ["Files, by SHA-256:\n", _table(("file", "digest"), list(_files(record)))]
    return "\n".join(parts)


def _notes(record: Record) -> str:
    """Return the notes, with what the base was told that was trained for this."""
    settings = record.get("training", {}).items()
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings)
    return NOTES + (TRAINED.format(training=said) if said else "")


def _rows(found: Record) -> list[tuple[str, ...]]:
    rows = []
    for name, each in found.items():
        for place, (metric, scores) in enumerate(each["metrics"].items()):
            counts = [str(each[key]) for key in ("items", "cut", "compared")]
            distances = [f"{each[key]:.1e}" for key in ("log_likelihoods", "log_probabilities")]
            rows.append(
                (
                    name if place == 0 else "",
                    metric,
                    *(counts if place == 0 else [""] * 3),
                    f"{scores['smalltune']:.6f}",
                    f"{scores['lm_eval']:.6f}",
                    " / ".join(map(str, scores["chosen"])),
                    str(scores["other_answers"]),
                    *((str(each["other_tokens"]), *distances) if place == 0 else [""] * 3),
                )
            )
    return rows


def _asked(record: Record) -> Iterator[str]:
    for name, told in record["sets"].items():
        choices = told["lm_eval"]["doc_to_choice"]
        listed = ", ".join(f"`{c}`" for c in choices) if isinstance(choices, list) else "the row's"
        yield f"### {name}\n\n{told['title']}. Choices: {listed}.\n"
        yield from (
            f"- {base}: {_span(each['found'][name]['tokens_of_a_prompt'])} tokens in a prompt, "
            f"{_span(each['found'][name]['tokens_of_a_choice'])} in a choice"
            for base, each in record["bases"].items()
        )
        yield "\nsmalltune's prompt and lm-evaluation-harness's task:\n"
        yield _block(told["prompt"], "text")
        yield _block(_yaml(told["lm_eval"]), "yaml")


def _environment(record: Record) -> Iterator[tuple[str, str]]:
    machine = record["machine"]
    yield "Date", record["date"]
    yield "Commit", str(machine["git"])
    yield "Processor", f"{machine['machine']['cpu']}, {machine['threads']} thread(s), no GPU used"
    yield "Python", machine["python"]
    yield from sorted(machine["packages"].items())
    yield "Seconds", str(record["seconds"])


def _files(record: Record) -> Iterator[tuple[str, str]]:
    for base, each in record["bases"].items():
        yield from ((f"{base}/{name}", digest) for name, digest in each["files"].items())
    for room in ("sources", "rows"):
        for data, files in record[room].items():
            kind = "" if room == "sources" else "drawn: "
            yield from ((f"{kind}{data}/{name}", digest) for name, digest in files.items())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _block(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```\n"


def _yaml(value: Any) -> str:
    """Return YAML in which a text of several lines stands as such."""

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(value, Dumper=Dumper, sort_keys=False).strip()


def _span(sizes: list[int]) -> str:
    low, middle, high = sizes
    return str(low) if low == high else f"{low} to {high} (median {middle})"
