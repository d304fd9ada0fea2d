r"""Explained: what each measure of the paper is, in one sentence with the works behind it.

A measure of one's own, from outside of the package, is named and not explained.
"""

from collections.abc import Collection, Sequence

from smalltune.paper.escape import Tex, escape
from smalltune.paper.naming import inline
from smalltune.paper.view import MetricView

__all__ = ["CITED", "explained"]

_ROUGE = "with the words stemmed and the best of several references"
_CALIBRATION = "over bins that hold equally many items"
_TEXTS = {
    "accuracy": "Accuracy is the share of items whose most likely label is the right one.",
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


def explained(metrics: Sequence[MetricView], known: Collection[str]) -> Tex:
    """Return a sentence for each measure; `known` are the keys of works that can be cited."""
    return Tex(" ".join(_sentence(metric, known) for metric in metrics))


def _sentence(metric: MetricView, known: Collection[str]) -> str:
    text = _TEXTS.get(metric.name)
    if text is None:
        return str(escape(f"We report {inline(metric.title)}."))
    keys = [key for key in CITED.get(metric.name, ()) if key in known]
    cite = rf" \citep{{{','.join(keys)}}}" if keys else ""
    return f"{escape(text.removesuffix('.'))}{cite}."
