"""Sets: what both sides are asked, in the words of each.

The two prompts of a set are written twice on purpose, once as smalltune's study file takes them
and once as lm-eval's task file does: neither side is fed with the other's output.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SETS", "TITLES", "Set"]

TITLES = {"acc": "none", "acc_norm": "characters", "acc_bytes": "bytes"}
"""lm-eval's metrics and what smalltune calls the same division of a choice's log-likelihood."""


@dataclass(frozen=True)
class Set:
    """One comparison.

    `task` is the entry of a study file, `asked` lm-eval's task; `metrics` are lm-eval's, each
    with what it changes in the entry. `data` names the rows (see `draws`).
    """

    name: str
    title: str
    data: str
    task: Mapping[str, Any]
    asked: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"acc": {}})

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The study's entries by lm-eval's metric."""
        return {metric: {**self.task, **change} for metric, change in self.metrics.items()}


def _choosing(**options: Any) -> dict[str, Any]:
    return {
        "kind": "multiple_choice",
        "text": ["context", "question"],
        "uncut": ["question"],
        "choices": "choices",
        "answer": "answer",
        **options,
    }


SETS = (
    Set(
        name="sst2",
        title="SST-2, all of the validation split",
        data="sst2",
        task={"kind": "sst2"},
        asked={
            "doc_to_text": "{{sentence}}\nAll in all it was",
            "doc_to_target": "label",
            "doc_to_choice": ["bad", "good"],
        },
    ),
    Set(
        name="sst2-phrases",
        title="SST-2 with label words of several tokens, after a prompt that ends in a space",
        data="sst2",
        task={
            "kind": "sst2",
            "labels": {"0": "a waste of time", "1": "a true delight"},
            "prompt": "{sentence}\nIt was ",
        },
        asked={
            "doc_to_text": "{{sentence}}\nIt was ",
            "doc_to_target": "label",
            "doc_to_choice": ["a waste of time", "a true delight"],
            "target_delimiter": "",
        },
    ),
    Set(
        name="boolq",
        title="BoolQ, rows of the validation split",
        data="boolq",
        task={"kind": "boolq"},
        asked={
            "doc_to_text": "{{passage}}\nQuestion: {{question}}?\nAnswer:",
            "doc_to_target": "{{answer|int}}",
            "doc_to_choice": ["no", "yes"],
        },
    ),
    Set(
        name="squad-choices",
        title="SQuAD's answers as texts to choose among, four each",
        data="squad",
        task=_choosing(prompt="{context}\nQuestion: {question}\nAnswer:"),
        asked={
            "doc_to_text": "{{context}}\nQuestion: {{question}}\nAnswer:",
            "doc_to_target": "answer",
            "doc_to_choice": "choices",
        },
        metrics={metric: {"normalise": unit} for metric, unit in TITLES.items()},
    ),
    Set(
        name="squad-letters",
        title="The same rows, the choices shown in the prompt and their letters compared",
        data="squad",
        task=_choosing(
            prompt="{context}\nQuestion: {question}\n{choices}\nAnswer:", normalise="none"
        ),
        asked={
            "doc_to_text": (
                "{{context}}\nQuestion: {{question}}\nA. {{choices[0]}}\nB. {{choices[1]}}\n"
                "C. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"
            ),
            "doc_to_target": "answer",
            "doc_to_choice": ["A", "B", "C", "D"],
        },
    ),
)
