r"""Explained: what each measure of the paper is, in one sentence with the works behind it.

Where a measure judges probabilities, it is said of which numbers these are, and where there are
none. A measure of one's own, from outside of the package, is named and not explained.
"""

from collections.abc import Collection, Iterable, Iterator

from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import enumerate_words, inline
from smalltune.paper.view import MetricView, StudyView, TaskView

__all__ = ["CITED", "explained"]

_ROUGE = "with the words stemmed and the best of several references"
_CALIBRATION = "over bins that hold equally many items"
_TEXTS = {
    "accuracy": "Accuracy is the share of items whose answer is the right one; what is no answer "
    "counts as wrong.",
    "macro_f1": "Macro-F1 is the mean of the labels' F1 scores, each label counting the same.",
    "micro_f1": "Micro-F1 is the F1 score of all labels' decisions together.",
    "matthews": "The Matthews correlation is that of gold and predicted labels; zero is chance.",
    "nll": "The negative log-likelihood of the right label, in nats per item, also sees how sure a "
    "method is; lower is better.",
    "ece": f"The expected calibration error is the mean distance of confidence from accuracy "
    f"{_CALIBRATION}; lower is better.",
    "ece_scaled": "It is also given after the log-probabilities were divided by a temperature that "
    "was fitted on dev.",
    "brier": "The Brier score is the mean squared distance of the label probabilities from the "
    "right answer; lower is better.",
    "invalid_rate": "The invalid-output rate is the share of outputs that are no answer which the "
    "task allows; lower is better.",
    "unended_rate": "The unended-output rate is the share of texts that were cut off at the "
    "greatest length before they ended; lower is better.",
    "exact_match": "Exact match is the share of answers that equal a reference after case, "
    "punctuation and articles are dropped.",
    "token_f1": "Token F1 is the overlap in words with the nearest reference, after the same "
    "normalisation as for exact match, its mean over items.",
    "bleu": "BLEU counts the runs of one to four words shared with the references, over all items "
    "together.",
    "chrf": "chrF is the F score of runs of characters shared with the references, over all items "
    "together.",
    "rouge1": f"ROUGE-1 is the F1 of single words shared with a reference, {_ROUGE}.",
    "rouge2": f"ROUGE-2 is the F1 of pairs of words shared with a reference, {_ROUGE}.",
    "rougeL": f"ROUGE-L is the F1 of the longest common run of words, gaps allowed, {_ROUGE}.",
    "rougeLsum": f"ROUGE-Lsum is ROUGE-L sentence by sentence, a line being one, {_ROUGE}.",
    "slot_error_rate": "The slot error rate is the number of facts missing, wrong or invented over "
    "the facts to be said; lower is better.",
    "slots_missing": "Missing facts are those not said or said with a wrong value, over the facts "
    "to be said.",
    "slots_invented": "Invented facts are those not asked for or said with a wrong value, over the "
    "facts to be said.",
    "length_ratio": "The length ratio is the number of words written over that of the references; "
    "it describes, and neither direction is better.",
    "distinct_1": "Distinct-1 is the share of different words among all words written.",
    "distinct_2": "Distinct-2 is the share of different pairs of words among all pairs written.",
    "perplexity": "Perplexity is the exponential of the mean negative log-likelihood per token; it "
    "depends on the tokeniser, and lower is better.",
    "bits_per_byte": "Bits per byte are the negative log-likelihood of a text in bits over its "
    "bytes, which does not depend on the tokeniser; lower is better.",
}

CITED = {
    "matthews": ("matthews1975mcc",),
    "ece": ("guo2017calibration",),
    "ece_scaled": ("guo2017calibration",),
    "exact_match": ("rajpurkar2016squad",),
    "token_f1": ("rajpurkar2016squad",),
    "bleu": ("papineni2002bleu", "post2018sacrebleu"),
    "chrf": ("popovic2015chrf", "post2018sacrebleu"),
    "rouge1": ("lin2004rouge",),
    "rouge2": ("lin2004rouge",),
    "rougeL": ("lin2004rouge",),
    "rougeLsum": ("lin2004rouge",),
    "slot_error_rate": ("wen2015semantically", "dusek2019semantic"),
    "distinct_1": ("li2016diversity",),
    "distinct_2": ("li2016diversity",),
}
"""The works that a measure is due to, by its name."""

WEIGHED = ("nll", "ece", "ece_scaled", "brier")
"""Measures that judge the probabilities of labels or choices."""


def explained(view: StudyView, known: Collection[str]) -> Tex:
    """Return a sentence for each measure; `known` are the keys of works that can be cited."""
    said = [_sentence(metric, known) for metric in view.metrics]
    return Tex(" ".join([*said, *_of_choices(view), *_of_written(view)]))


def _of_choices(view: StudyView) -> Iterator[str]:
    """Yield where probabilities are not those by which the answer is chosen."""
    tasks = [task for task in _asked(view, "choices") if _divided(task)]
    if tasks:
        yield (
            f"On {_titles(tasks)}, the probability that a language model gives a choice (for "
            f"{_weighed(view, tasks)}) comes from the summed log-likelihoods as they are, "
            "normalised over the choices; its answer is chosen by these divided by a length, and "
            "need not be the most probable choice."
        )


def _of_written(view: StudyView) -> Iterator[str]:
    """Yield where there are no probabilities, since a label is written and not weighed."""
    tasks = _asked(view, "written labels")
    if tasks:
        yield (
            f"On {_titles(tasks)}, a language model writes its label and gives the labels no "
            f"probabilities: a dash stands for {_weighed(view, tasks)}."
        )


def _asked(view: StudyView, answers: str) -> list[TaskView]:
    """Return the tasks that models answer so and whose measures judge probabilities."""
    found = [task for task in view.tasks if task.answers == answers and view.models]
    return [task for task in found if any(m.name in WEIGHED for m in view.metrics_of(task.name))]


def _divided(task: TaskView) -> bool:
    """Tell whether the choices' texts are compared after a division by a length."""
    return "{choices}" not in task.prompt and task.decoding.get("normalise", "none") != "none"


def _weighed(view: StudyView, tasks: Iterable[TaskView]) -> Tex:
    """Return the measures of probabilities that some of the tasks have."""
    used = {metric.name for task in tasks for metric in view.metrics_of(task.name)}
    named = [m for m in view.metrics if m.name in used and m.name in WEIGHED]
    return enumerate_words(f"the {inline(metric.title)}" for metric in named)


def _titles(tasks: Iterable[TaskView]) -> Tex:
    return enumerate_words(task.title for task in tasks)


def _sentence(metric: MetricView, known: Collection[str]) -> str:
    text = _TEXTS.get(metric.name)
    if text is None:
        return str(escape(f"We report {inline(metric.title)}."))
    keys = [key for key in CITED.get(metric.name, ()) if key in known]
    cite = rf" \citep{{{','.join(keys)}}}" if keys else ""
    return f"{escape(text.removesuffix('.'))}{cite}."
