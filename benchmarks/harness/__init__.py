"""The benchmark: smalltune and what people use today, on equal work in one run.

timing      one after another in turn, medians, ratios, and the refusal of unequal work
machine     what it ran on, its allocator, its memory
shapes      models and tokenisers
texts       rows of real data as tokens
training    a pair of trainings, given out as `jobs`; `trainers` and `sft` are the peers
evaluation  label words scored, against lm-evaluation-harness
generation  greedy and beams, against Transformers
studies     many short runs, against a process per run (`single_run`)
memory      peaks of training, each in a process of its own
lengths     time against length of rows and size of model
trials      the cost of a trial besides its own work, from benchmarks/scaling.py
catalogue   all pairs, how large they are, and what smalltune means to reach
results     what is finished
measures    what a record says, as numbers
report      RESULTS.md, with its `settings`, `tables`, `notes`, `reasons` and the `figure`
"""
