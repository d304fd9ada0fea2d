"""Agreement: the same base, prompts and items scored by smalltune and lm-evaluation-harness.

sets        what is compared: data, smalltune's task and lm-eval's, each written by itself
agree       runs all; keeps agreement.json and AGREEMENT.md beside run.py
draws       the rows as files that both sides read
answers     what one side said
ours        a study of smalltune, run from its file, its answers read from the store
trained     a base that has learned one of the sets, trained and exported by smalltune
theirs      lm-evaluation-harness on the same files and weights
compare     how far two answers to one set lie apart, and what is too far
report      AGREEMENT.md
"""
