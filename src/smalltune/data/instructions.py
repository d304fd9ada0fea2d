"""Instructions: what was asked and answered, out of the formats in which such data are passed on.

alpaca              instruction, input (may be missing or empty), output
prompt/completion   prompt, completion (or response): texts, or lists of messages each
messages            messages: [{role: user, content: ...}, {role: assistant, content: ...}, ...]
sharegpt            conversations: [{from: human, value: ...}, {from: gpt, value: ...}, ...]

Of a conversation the last answer is learned, and what was said before it is the prompt. A model
that is asked in its chat template gets the turns as they are, unless a study gives a prompt of its
own. Else they are one text: a system message stands before the first turn, and where several turns
come before, each bears its speaker. In a CSV a conversation is JSON text. A row in which somebody
else takes a turn, as a tool, is dropped and counted. An input that says that there is none
("<noinput>", "No input") is empty.

A conversation that is too long loses its oldest exchanges first (`models/talks.py`); its system
text and last question stay, and lose text only where they do not fit by themselves. With
`uncut: [instruction]` they lose none.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from smalltune.core.errors import DataError
from smalltune.core.plugins import nearest
from smalltune.data.cells import brief, no_text, shown
from smalltune.data.prompted import NOTHING, Prompted
from smalltune.data.splits import Row

__all__ = ["Exchange", "Exchanges", "exchange"]

_PART = re.compile(r"\n{2,}")

_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant",
    "bard": "assistant", "model": "assistant",
}  # fmt: skip
_SPOKEN = {"user": "User", "assistant": "Assistant"}
_OTHERS = "with a turn of another role than system, user or assistant"
_NO_INPUT = re.compile(
    r"\W*no[\s_-]*input(?: (?:is )?(?:required|needed|provided|given|necessary))?\W*", re.IGNORECASE
)
_ANSWERS = {"instruction": ("output", "response"), "prompt": ("completion", "response")}
_TALKS = ("messages", "conversations", "conversation")

Turns = tuple[tuple[str, str], ...]
"""Role and text of each turn, in order."""


class Exchange(NamedTuple):
    """An instruction, its input ("" where there is none) and the answer, which may be "".

    Of a conversation the instruction is all of it in one text, and `turns` are what was said.
    """

    instruction: str
    given: str
    answer: str
    turns: Turns = ()


@dataclass(frozen=True)
class Exchanges(Prompted):
    """Rows of instruction data in any of these formats. Abstract: a kind of task builds on it.

    The prompt holds {instruction} and {input}; a paragraph of it whose columns are all empty, as
    the input mostly is, is left out.
    """

    text: str | tuple[str, ...] = ("instruction", "input")

    @property
    def template(self) -> str:
        """The prompt, or one paragraph each for the instruction, the input and `ending`."""
        return self.prompt or f"{{instruction}}\n\n{{input}}\n\n{self.ending}"

    @property
    def talks(self) -> bool:
        """Whether a row may be a conversation whose turns a chat template writes."""
        return not self.prompt

    @property
    def _needed(self) -> tuple[str, ...]:
        """The columns that every row must have; the others depend on the format."""
        return tuple(column for column in (self.id, self.group) if column)

    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row | str:
        said = exchange(raw, where)
        if isinstance(said, str):
            return said
        if not said.instruction or not said.answer:
            return NOTHING
        fields = {"instruction": said.instruction, "input": said.given}
        group = self._group_of(raw, where)
        return Row(
            self._named(raw, name), fields, "", (said.answer,), group=group, turns=said.turns
        )

    def _talk(self, turns: Turns, *, chat: bool) -> Any:
        """Return the prompt of a conversation: in a chat its turns, else the text that it makes."""
        if chat and not self.prompt:
            return turns
        return self._render({"instruction": _as_text(turns), "input": ""})

    def _render(self, fields: Mapping[str, str]) -> str:
        """Return the prompt without the paragraphs that have nothing to say."""
        kept = []
        for part in _PART.split(self.template):
            places = self._places.findall(part)
            if not places or any(fields[place] for place in places):
                kept.append(self._places.sub(lambda found: fields[found[1]], part))
        return "\n\n".join(kept)


def exchange(raw: Mapping[str, Any], where: str) -> Exchange | str:
    """Return what is asked and answered in a row.

    The answer may be "", as in some rows of public data. Of a conversation in which another role
    takes part, return in words why the row is dropped. Raises DataError for another format, with
    the name nearest to a column that is missing, and for a conversation that does not end with an
    answer.
    """
    for asked, names in _ANSWERS.items():
        found = next((name for name in names if name in raw), None)
        if asked in raw and found:
            answer = raw[found]
            if asked == "prompt" and (_is_talk(raw[asked]) or _is_talk(answer)):
                return _conversation(
                    [*_turns(raw[asked], "user"), *_turns(answer, "assistant")], where
                )
            given = _plain(raw, "input", where) if asked == "instruction" else ""
            given = "" if _NO_INPUT.fullmatch(given) else given
            return Exchange(_plain(raw, asked, where), given, _plain(raw, found, where))
    for name in _TALKS:
        if name in raw:
            return _conversation(_listed(raw[name], name, where), where)
    raise DataError(f"{where}: {_lacking(raw)}")


def _lacking(raw: Mapping[str, Any]) -> str:
    """Return which column a row lacks, and which of its own is nearest to it."""
    for asked, names in _ANSWERS.items():
        if asked in raw:
            others = [str(column) for column in raw if column not in (asked, "input")]
            hint = f" {nearest(names[0], others)}" if others else ""
            name = " or ".join(map(repr, names))
            return f"no column {names[0]!r} with the answers beside {asked!r}.{hint} Name it {name}"
    if not raw:
        return "no instruction data: the row is empty. Fill it in or drop it"
    known = [*_ANSWERS, *_TALKS]
    near = next((hint for c in raw if (hint := nearest(str(c), known)).startswith("Did")), "")
    return (
        f"no instruction data: the columns are {shown(map(str, raw))}, and must be instruction "
        "and output, prompt and completion, messages, or conversations" + f". {near}" * bool(near)
    )


def _is_talk(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _turns(value: Any, role: str) -> list[Any]:
    """Return the turns of a column; a text is one turn of `role`."""
    return list(value) if _is_talk(value) else [{"role": role, "content": value}]


def _listed(value: Any, column: str, where: str) -> list[Any]:
    """Return the turns of a conversation's column, which may be JSON text."""
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            found = None
    if not _is_talk(found):
        raise DataError(
            f"{where}: the column {column!r} holds {brief(value)}, and must hold a list of turns, "
            'in a CSV as JSON text such as [{"role": "user", "content": "..."}]'
        )
    return list(found)


def _conversation(raw: Sequence[Any], where: str) -> Exchange | str:
    turns: list[tuple[str, str]] = []
    for each in raw:
        role, text = _turn(each, where)
        if role not in _ROLES:
            return _OTHERS
        turns.append((_ROLES[role], text))
    system = "\n".join(text for role, text in turns if role == "system")
    said = [(role, text) for role, text in turns if role != "system"]
    while said and said[-1][0] == "user":
        said.pop()  # a question that nobody answered
    if len(said) < 2 or not any(role == "user" for role, _ in said[:-1]):
        raise DataError(f"{where}: the conversation holds no question with an answer: drop the row")
    *before, (_, answer) = said
    spoken = (*((("system", system),) if system else ()), *before)
    return Exchange(_as_text(spoken), "", answer, spoken)


def _as_text(turns: Turns) -> str:
    """Return a conversation as one text; where there are several turns, each bears its speaker."""
    system = [text for role, text in turns if role == "system"]
    said = [(role, text) for role, text in turns if role != "system"]
    if len(said) > 1:
        said = [(role, f"{_SPOKEN[role]}: {text}") for role, text in said]
    return "\n\n".join(text for text in (*system, *(text for _, text in said)) if text)


def _turn(raw: Any, where: str) -> tuple[str, str]:
    """Return role and text of one turn; a text in parts is joined."""
    if not isinstance(raw, Mapping):
        raise DataError(
            f"{where}: a turn of the conversation is {brief(raw)}, and must be an object such as "
            '{"role": "user", "content": "..."}'
        )
    role = str(raw.get("role", raw.get("from", ""))).strip().lower()
    if not role:
        raise DataError(
            f"{where}: a turn of the conversation does not say whose it is: it must have a `role` "
            "(or `from`), as user or assistant"
        )
    value = raw.get("content", raw.get("value"))
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, Mapping)]
        value = "\n".join(part for part in parts if isinstance(part, str))
    return role, _plain({"content": value}, "content", where) if role in _ROLES else ""


def _plain(raw: Mapping[str, Any], column: str, where: str) -> str:
    value = raw.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where}: {no_text(column, value)}")
    return value.strip()
