"""Notes: what stands below or above the tables of RESULTS.md, and words for parts of a profile."""

__all__ = ["FORECASTS", "MEMORIES", "PARTS", "PROFILES", "STUDIES", "TOKENS"]

PARTS = {"Python and dispatch": "the rest (Python, dispatch; uncertain)"}
"""How parts of a profile are called on the page, where it is not by their own name."""

TOKENS = (
    "\nApart is the share of the rows whose text is another than smalltune's; where nothing "
    "stands, all texts are the same.\n"
)

PROFILES = (
    "\nA study's parts are those of its run in the middle; in brackets the shortest and the "
    "longest run. The rest of a step is what its seconds without the profiler leave beyond its "
    "operators', never below 0; the operators' are means over all steps, those before the timed "
    "ones included, the seconds over the timed ones only. So it is uncertain, and the shares of "
    "the other parts with it. Meters of a step are counting its work; those of a study are the "
    "measuring of the machine's own speed, 0.1 s once for each worker, and it is this that is "
    "counted: the share falls with the study's length, and is below 1 % from about 10 s on. The "
    "largest part of each: "
)

STUDIES = (
    "\nWall seconds unless it says CPU, the middle of the rounds; in a round smalltune and the "
    "peers run one after the other, with all cores of the machine. Measured are the runs of "
    "`results.json`; what more runs would take is once + runs x each, beside it the ratio to "
    "smalltune with its lowest and highest. Accuracy on the test rows and the mean loss of "
    "all training steps are those of the seeds that every variant ran; apart is the seed that "
    "differs most.\n"
)

MEMORIES = (
    "\nMeasured for these pairs only, each variant in its own process: the pairs above run "
    "all variants in one process, which peaks with the hungriest and holds what the others "
    "left. Here smalltune keeps freed blocks as its workers do, which saves time, not "
    "memory; every peer, tuned or not, has the system's allocation as it comes.\n"
)

FORECASTS = (
    "Forecast over actual of a study never run before, in a cold store: the median over its "
    "trials, the lowest and the highest.\n"
)
