"""Template: the text of a study file for someone who begins; `starter` fills it in."""

__all__ = ["CHOOSE", "DEV", "FLOORS", "OPEN", "OWN", "REVIEWS", "TEMPLATE", "WORDS"]

TEMPLATE = """\
# A study: every model with every method on every task with every seed.
# `smalltune plan` shows what it means, `smalltune run` runs what is missing, `smalltune paper`
# writes it up. An unknown key is an error, so nothing in here is ignored.
name: {name}
title: {title}
question: How do the methods compare on {task} when each sees the same rows?

models:
  # Another model: {{source: Qwen/Qwen2.5-0.5B, why: ...}} (a hub id; `smalltune lock` pins it), or
  # {{source: ./folder, why: ...}} with config.json, safetensors and a tokeniser.
  micro-llama:
    why: The base that comes with smalltune; it trains in seconds without a GPU.

tasks:
{tasks}
methods:
  # Each method's own hyperparameters stand here; `tune: {{learning_rate: [1e-4, 1e-3]}}` would
  # choose on dev. A method under a name of your own: lora4: {{method: lora, rank: 4}}.
{floors}  zero_shot:
    why: What the base knows before any training.
  full:
    why: The reference that trains every weight.
  lora:
    rank: 8
    why: The parameter-efficient method in question.

# Shared by all methods that train; a method's own value wins.
training:
  epochs: 3
  batch_size: 16

# Six paired seeds 0 to 5: with five, an exact paired test can never reach p < .05.
seeds: 6
# Declared before the runs; others are exploration.
contrasts: ["lora - full"]
primary: {primary}
"""

FLOORS = {
    "majority": """\
  majority:
    why: The floor, right without reading the text.
""",
    "tfidf": """\
  tfidf:
    why: The linear baseline that a language model has to beat.
""",
}
"""Methods without a language model, for tasks whose answers are labels."""

REVIEWS = """\
  reviews:
    why: Short reviews that come with smalltune; nothing has to be fetched.
"""

OWN = """\
  {task}:
    kind: classification
    files:
{files}
    text: {text}
    label: {label}
{id}    # {hint}
    labels:
{labels}
    # What the model reads before it answers with a label's word.
    prompt: {prompt}
{dev}    # A paper needs to say why this data answers the question; it prints licence and link too.
    # why: ...
    # licence: ...
"""

OPEN = """\
  {task}:
    kind: {kind}
    files:
{files}
{options}    # A paper needs to say why this data answers the question; it prints the licence.
    # why: ...
    # licence: ...
"""

CHOOSE = (
    "CHOOSE these words: the file has numbers or true and false, and only you know their meaning."
)
WORDS = (
    "Each value of the label column and the word that stands for it; choose common, short words."
)
DEV = """\
    # Dev is drawn from train; rows of train that repeat a dev or test row are dropped.
    dev: {{rows: {rows}, seed: 0}}
"""
