"""How the values of E2E's slots are said in restaurant descriptions (Novikova et al. 2017).

The phrases were collected from the training and development texts and are matched in lower case,
without accents and apostrophes, dashes as spaces. A phrase lists every value that it may say: the
vague ones say the sum and the word ("cheap": cheap, less than £20), an exact sum says itself alone.
Stars and figures of a rating say the word that E2E uses beside them.
"""

import re

__all__ = ["PHRASES", "SILENT"]

NOTHING = ("",)
SILENT = frozenset({"restaurant", ""})
"""What is never an error: any place that serves food is a restaurant, and what says no value."""

CHEAP = ("cheap", "less than £20")
MIDDLE = ("moderate", "£20 25")
DEAR = ("high", "more than £30")
LOW = ("low", "1 out of 5")
FAIR = ("average", "3 out of 5")
BEST = ("high", "5 out of 5")

_NOT = (
    r"(?:no|not|non|none|never|without|nor|neither|cannot|"
    r"(?:is|are|do|does|did|wo|ca|has|should|would|could)nt)"
)
_YOUNG = r"(?:famil(?:y|ys|ies)|kids?|child(?:ren)?s?|youngsters|all ages?)"
_HEAD = (
    r"(?:rat(?:e|es|ed|ing|ings)|review(?:s|ed)?|scores?|scored|feedback|satisfaction|regarded|"
    r"rank(?:ed|ing)?|quality|standards?)"
)
_PRICE = r"(?:price[ds]?|pricing|costs?|costing|budget)"
_COST = r"(?:prices?(?: ranges?)?|pricing|costs?|price range is)"
_LOW = r"(?:low(?:ly|er|est)?|poor(?:ly)?|bad(?:ly)?|terribl[ey]|awful|horrible)"
_FAIR = r"(?:average(?:ly)?|mediocre|decent(?:ly)?|fair(?:ly)?|moderate(?:ly)?|ok|okay|middling)"
_BEST = r"(?:high(?:ly|er|est)?|excellent(?:ly)?|great|top|outstanding|best|superb|very good)"
_GOOD = r"(?:good|well|positive|nice|favou?rabl[ey])"


def _gap(most: int, *but: str) -> str:
    """Return a pattern of up to so many words, none of them one of `but`."""
    return rf"(?: (?!(?:{'|'.join(('and', 'but', *but))})\b)\w+){{0,{most}}}"


def _graded(grade: str) -> tuple[str, str]:
    """Return the patterns of a grade before what is rated, and after it."""
    between = _gap(
        3, "for", "with", "food", "range", "price", "prices", "priced", "pricing", "cost", "costs"
    )
    return rf"{grade}{between} {_HEAD}", rf"{_HEAD}{between} {grade}(?! (?:pric|cost|in price))"


def _priced(grade: str) -> tuple[str, str]:
    """Return the patterns of a grade before the price, and after it."""
    between = _gap(5, "rating", "ratings", "rated", "customer", "customers", "reviews")
    return (
        rf"{grade}(?: (?:end|level|range|to|in|on|the))* {_PRICE}(?: ranges?)?",
        rf"{_COST}{between} {grade}(?! (?:customer|rat|review|quality))",
    )


def _figure(figure: str) -> tuple[str, ...]:
    return (
        rf"{figure} ?(?:(?:out|our) )?(?:of|/) ?(?:5|five)(?: stars?)?",
        rf"{figure} out (?:5|five)(?: stars?)?",
        rf"{figure} stars?",
        rf"rat(?:ed|ing|ings)(?: (?:is|of|a|at|as|it|by|customers?|an?|only|just))* {figure}"
        r"(?! ?[\d£/]| (?:out|of|our|stars?))",
    )


_SAID: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "area": (
        (NOTHING, (
            r"(?:north|south|east|west|outside|away|far|minutes?|miles?)(?: (?:of|from|to))?"
            r"(?: the)?(?: (?:city|town))? ?cent(?:re|er)",
        )),
        (("city centre",), (
            r"(?:city|town)s? ?cent(?:re|er)s?", r"cent(?:re|er) of (?:the )?(?:city|town)",
            r"cent(?:re|er)", r"downtown", r"cent(?:ral|rally)",
            r"(?:heart|middle) of (?:the )?(?:city|town)",
        )),
        (("riverside",), (r"river ?(?:sides?|front|banks?|view)?", r"water ?(?:side|front)")),
    ),
    "eat type": (
        (("coffee shop",), (r"coffee ?(?:shops?|house|bar|place|ship)?", r"cafes?", r"tea ?room")),
        (("pub",), (r"pubs?", r"bars?", r"tavern", r"inn")),
        (("restaurant",), (r"restaurants?", r"eatery", r"diner", r"bistro")),
    ),
    "food": (
        (("chinese",), (r"chinese?", r"china")),
        (("english",), (r"english", r"british", r"england", r"fish (?:and|&) chips")),
        (("fast food",), (r"fast ?foods?", r"(?:ham)?burgers?", r"(?:french )?fries")),
        (("french",), (r"french", r"france")),
        (("indian",), (r"indians?", r"india", r"curr(?:y|ies)")),
        (("italian",), (r"italian", r"italy", r"pastas?", r"pizzas?", r"spaghetti")),
        (("japanese",), (r"japan(?:ese)?", r"sushi")),
    ),
    "family friendly": (
        (("no",), (
            rf"{_NOT}{_gap(6, 'is', 'it', 'its', 'for all')} {_YOUNG}(?: friendly)?",
            rf"{_YOUNG}{_gap(2)} (?:unfriendly|prohibited|banned|{_NOT})",
            rf"(?:unfriendly|unsuitable|inappropriate|unwelcoming){_gap(3)} {_YOUNG}",
            rf"(?:leave|discourage|prohibit|ban)s?{_gap(2)} {_YOUNG}", rf"{_YOUNG} free",
            r"(?<! and )(?<! or )(?<! as )adults?(?! (?:and|or|alike))(?: only)?", r"grown ?ups?",
        )),
        (("yes",), (rf"{_YOUNG}(?: friendly)?",)),
    ),
    "price range": (
        (CHEAP, (
            r"(?:cheap|inexpensive)(?:ly|er)?", *_priced("low(?:ly|er)?"), r"economical",
            r"bargain",
        )),
        ((*CHEAP, ""), (r"low end",)),
        ((*DEAR, ""), (r"high end",)),
        ((*CHEAP, *MIDDLE), (r"affordabl[ye]", *_priced("(?:good|great|fair(?:ly)?)"))),
        (("less than £20",), (r"(?:less than|under|below|up to) ?£? ?(?:20|twenty)",)),
        (MIDDLE, (
            *_priced(r"(?:moderate|medium|mid|middle|average|reasonable|ok)(?:ly)?"),
            r"(?:mid|middle|medium|moderate) range(?! (?:customer|rat))",
            r"moderately", r"reasonabl[ye]",
        )),
        (("£20 25",), (r"£? ?20 ?(?:to|and)? ?£? ?25",)),
        (DEAR, (
            *_priced("high(?:er|ly)?"), r"expensive(?:ly)?", r"price?y", r"costly", r"upscale",
        )),
        ((*DEAR, *MIDDLE), (rf"{_NOT}{_gap(1)} cheap",)),
        ((*CHEAP, *MIDDLE), (rf"{_NOT}{_gap(1)} (?:expensive|price?y)",)),
        (("more than £30",), (r"(?:more than|over|above|at least) ?£? ?(?:30|thirty)",)),
    ),
    "customer rating": (
        (LOW, (
            *_graded(_LOW), *_figure("(?:1|one)"),
            rf"{_NOT}{_gap(3)} (?:{_GOOD}|{_BEST}){_gap(3)} {_HEAD}",
        )),
        (FAIR, (*_graded(_FAIR), *_figure("(?:3|three)"))),
        (BEST, (*_graded(_BEST), *_figure("(?:5|five)"))),
        ((*FAIR, *BEST), _graded(_GOOD)),
        (("other",), (*_figure("(?:2|two)"), *_figure("(?:4|four)"))),
    ),
}  # fmt: skip

PHRASES = {
    slot: tuple(
        (re.compile("|".join(rf"(?<![\w£]){p}(?!\w)" for p in phrases)), frozenset(values))
        for values, phrases in said
    )
    for slot, said in _SAID.items()
}
"""Slot to pairs of a pattern and the values that it may say, all as `slots` writes them."""
