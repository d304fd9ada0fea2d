"""Asking: how a model is asked each task, how it answers, and what it learns from, in sentences."""

from collections.abc import Callable, Collection, Mapping

from smalltune.paper import rounding
from smalltune.paper.escape import Tex, escape, identifier
from smalltune.paper.naming import Names, enumerate_words, inline
from smalltune.paper.numbers import Number, Numbers
from smalltune.paper.view import ANSWERS, StudyView, TaskView

__all__ = ["add_asking", "answering", "asking", "chatting", "cut"]

MANY = 16  # label words that a sentence can hold

COUNTED = {
    "longest": "tokens of an answer with its end, at most",
    "beams": "beams of the search for an answer",
    "beyond": "tokens that may be written beyond the longest label word with its end",
    "length_penalty": "power of the length that a beam's log-probability is divided by",
}
WRITTEN = ("text", "likelihood", "written labels")
LEARNED = {
    "labels": "the same prompt and the loss of the right label word",
    "written labels": "the same prompt and the loss of the right label word after it and of the "
    "token that ends it",
    "choices": "the same prompt and the loss of the right choice after it",
    "text": "the same prompt and the loss of a reference after it and of the token that ends it",
    "likelihood": "the same prompt and the loss of the answer after it and of the token that ends "
    "it",
    "running text": "the loss of the same predictions",
}
UNITS = {
    "characters": "divided by the number of its characters",
    "bytes": "divided by the number of its bytes in UTF-8",
    "tokens": "divided by the number of its tokens",
    "none": "not divided by its length",
}


def add_asking(view: StudyView, numbers: Numbers) -> None:
    """Add the numbers of how answers are written: `askingLongestSquad` and its like."""
    for task in view.tasks:
        settings = {**task.options, **task.decoding}
        for option, what in COUNTED.items():
            if option in settings and task.answers in WRITTEN:
                value, source = settings[option], f"study file: tasks.{task.name}.{option}"
                name, text = _name(view, task, option), rounding.setting(value)
                numbers.add(Number(name, value, text, f"{what} ({task.name})", source=source))


def asking(view: StudyView, *, trains: bool) -> tuple[Tex, ...]:
    """Return how the tasks are asked, one or two sentences for each way of answering."""
    said = []
    for answers in ANSWERS:
        tasks = [task for task in view.tasks if task.answers == answers]
        if tasks:
            on = enumerate_words(task.title for task in tasks)
            model = "a language model" if len(tasks) < len(view.tasks) else "A language model"
            start = f"On {on}, {model}" if len(tasks) < len(view.tasks) else model
            text = f"{start} {_ASKED[answers]}."
            if "beyond" in tasks[0].decoding:
                more = rf"\{_name(view, tasks[0], 'beyond')}{{}}"
                text += f" It may write {more} tokens more than the longest label with its end has."
            if trains:
                text += f" Training uses {LEARNED[answers]}."
            said.append(Tex(text))
    return tuple(said)


_ASKED: Mapping[str, str] = {
    "labels": "sees a prompt and is judged by the log-likelihood of the label words after it, "
    "normalised over these words alone",
    "written labels": "sees a prompt and writes, greedily; what it writes is a label only where it "
    "begins with that label's word, as a whole word that no sign joins to others, and its first "
    "line names no other, and no answer otherwise",
    "choices": "sees a prompt, and the choices are compared by their log-likelihoods after it",
    "text": "sees a prompt and writes its answer",
    "likelihood": "sees a prompt and writes nothing: it is judged by the log-likelihood of the "
    "answer in the data, with the token that ends it, as far as the tokens allowed for it reach",
    "running text": "sees no prompt: it predicts each token of a text from those before it, within "
    "pieces that fit its context",
}


def chatting(view: StudyView, spoken: Collection[str]) -> tuple[Tex, ...]:
    """Return how models are asked in a chat; nothing where none is.

    `spoken` names the tasks some of whose rows are conversations.
    """
    chats = [model for model in view.models if model.chat]
    if not chats:
        return ()
    few = len(chats) < len(view.models)
    who = str(enumerate_words(model.title for model in chats)) if few else "Each model"
    who, its = ("The model", "its") if len(view.models) == 1 else (who, "its own")
    verb = "are" if few and len(chats) > 1 else "is"
    its = "their own" if verb == "are" else its
    said = [
        f"{who} {verb} asked in {its} chat template: the prompt is the user's turn, and the answer "
        "the assistant's. A template that can leave out a block of reasoning is told to, and what "
        "a model writes of one before its answer is not judged."
    ]
    talks = [task for task in view.tasks if task.name in spoken and task.talks]
    if talks:
        said.append(
            f"Conversations of {enumerate_words(task.title for task in talks)} are given turn by "
            "turn, the system's text in its own turn where the template has one, else at the head "
            "of the user's first."
        )
    shown = [method for method in view.methods if method.options.get("shots")]
    if shown:
        names = enumerate_words(inline(method.title) for method in shown)
        said.append(
            f"The solved items of {names} are earlier turns of the same conversation, each asked "
            "by the user and answered by the assistant."
        )
    return tuple(Tex(line) for line in said)


def answering(view: StudyView, task: TaskView) -> Tex:
    """Return what follows a task's prompt: the label words, or how an answer is found or cut."""
    found: dict[str, Callable[[StudyView, TaskView], str]] = {
        "labels": _labels, "written labels": _labels, "choices": _choices, "text": _text,
        "likelihood": _likelihood,
    }  # fmt: skip
    return Tex(found[task.answers](view, task) if task.answers in found else "")


def cut(view: StudyView, task: TaskView, limit: Tex) -> Tex:
    """Return where prompts of more than `limit` tokens are cut, and what of them never is."""
    end = "start" if task.options.get("keep_end") else "end"
    columns = task.options.get("text", "")
    several = not isinstance(columns, str) and len(columns) > 1
    where = f"at the {end} of the longest text" if several else f"at their {end}"
    if task.talks:
        where = "at the end of the system's text, and of the question where that does not do,"
    room = ""
    if task.answers in ("text", "likelihood"):
        room = rf", with \{_name(view, task, 'longest')}{{}} of these left free for the answer"
    kept = enumerate_words(identifier(name) for name in task.options.get("uncut") or ())
    never = f"; {kept} and the prompt's own words are never cut" if kept else ""
    return Tex(rf"{where} to fit {limit} tokens{room}{never}")


def _labels(view: StudyView, task: TaskView) -> str:
    marked = [Tex(f"``{escape(word)}''") for word in task.labels.values()]
    few = marked if len(marked) <= MANY else [*marked[: MANY // 2], Tex("others")]
    return f"and the label words are {enumerate_words(few)}." if marked else ""


def _choices(view: StudyView, task: TaskView) -> str:
    what = "each choice's text"
    if "{choices}" in task.prompt:
        what = "each choice's letter"
    unit = UNITS[str(task.decoding.get("normalise", "none"))]
    return f"and what is compared is the summed log-likelihood of {escape(what)}, {unit}."


def _text(view: StudyView, task: TaskView) -> str:
    def number(option: str) -> str:
        return rf"\{_name(view, task, option)}{{}}"

    beams, penalty = task.decoding.get("beams", 1), task.decoding.get("length_penalty", 1.0)
    search = "greedily, always the likeliest token"
    if beams > 1:
        search = f"by a beam search with {number('beams')} beams"
        power = f" to the power {number('length_penalty')}" if penalty != 1 else ""
        search += f", whose log-probabilities are divided by the length{power}"
    stop = " or with the line" if task.decoding.get("stop") == "line" else ""
    which = {
        "each": "Every reference of a training row is learned from.",
        "first": "Only the first reference of a training row is learned from.",
    }.get(str(task.options.get("learn")), "")
    return (
        f"and the answer is written {search}. It ends with the end token{stop}, or after "
        f"{number('longest')} tokens; blanks around it are dropped. {which}"
    )


def _likelihood(view: StudyView, task: TaskView) -> str:
    return (
        rf"and an answer with its end counts up to \{_name(view, task, 'longest')}{{}} tokens; "
        "of a longer one the rest and the end are left out."
    )


def _name(view: StudyView, task: TaskView, option: str) -> str:
    return Names(view).of("asking", option, task=task.name)
