"""Instructions: what was asked and answered, out of the formats in which such data are passed on.

alpaca              instruction, input (may be missing or empty), output
prompt/completion   prompt, completion (or response)
messages            messages: [{role: user, content: ...}, {role: assistant, content: ...}, ...]
sharegpt            conversations: [{from: human, value: ...}, {from: gpt, value: ...}, ...]

Of a conversation the last answer is learned, and what was said before it is the prompt. A system
message stands before the first turn. Where several turns come before, each bears its speaker.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalltune.core.errors import DataError
from smalltune.data.prompted import Prompted
from smalltune.data.splits import Row

__all__ = ["Exchanges", "exchange"]

_PART = re.compile(r"\n{2,}")

_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant",
    "bard": "assistant", "model": "assistant",
}  # fmt: skip
_SPOKEN = {"user": "User", "assistant": "Assistant"}


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
    def _needed(self) -> tuple[str, ...]:
        """The columns that every row must have; the others depend on the format."""
        return tuple(column for column in (self.id, self.group) if column)

    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row | None:
        instruction, given, answer = exchange(raw, where)
        if not instruction or not answer:
            return None
        fields = {"instruction": instruction, "input": given}
        return Row(self._named(raw, name), fields, "", (answer,), group=self._group_of(raw, where))

    def _render(self, fields: Mapping[str, str]) -> str:
        """Return the prompt without the paragraphs that have nothing to say."""
        kept = []
        for part in _PART.split(self.template):
            places = self._places.findall(part)
            if not places or any(fields[place] for place in places):
                kept.append(self._places.sub(lambda found: fields[found[1]], part))
        return "\n\n".join(kept)


def exchange(raw: Mapping[str, Any], where: str) -> tuple[str, str, str]:
    """Return the instruction, its input ("" where there is none) and the answer of a row.

    The answer may be "", as in some rows of public data. Raises DataError for another format, for
    a conversation that does not end with an answer, and for a role that nobody knows.
    """
    if "instruction" in raw:
        answer = raw.get("output", raw.get("response"))
        return _text(raw, "instruction", where), _text(raw, "input", where), _plain(answer, where)
    if "prompt" in raw and isinstance(raw["prompt"], str):
        answer = raw.get("completion", raw.get("response"))
        return _text(raw, "prompt", where), "", _plain(answer, where)
    for name in ("messages", "conversations", "conversation"):
        if isinstance(raw.get(name), Sequence) and not isinstance(raw[name], str):
            return _conversation([_turn(each, where) for each in raw[name]], where)
    raise DataError(
        f"{where}: no instruction data: the columns are {', '.join(map(str, raw))}, and must be "
        "instruction and output, prompt and completion, messages, or conversations"
    )


def _conversation(turns: list[tuple[str, str]], where: str) -> tuple[str, str, str]:
    system = "\n".join(text for role, text in turns if role == "system")
    said = [(role, text) for role, text in turns if role != "system"]
    while said and said[-1][0] == "user":
        said.pop()  # a question that nobody answered
    if len(said) < 2 or not any(role == "user" for role, _ in said[:-1]):
        raise DataError(f"{where}: the conversation holds no question with an answer: drop the row")
    *before, (_, answer) = said
    if len(before) == 1:
        asked = before[0][1]
    else:
        asked = "\n\n".join(f"{_SPOKEN[role]}: {text}" for role, text in before)
    return "\n\n".join(part for part in (system, asked) if part), "", answer


def _turn(raw: Any, where: str) -> tuple[str, str]:
    """Return role and text of one turn; a text in parts is joined."""
    if not isinstance(raw, Mapping):
        raise DataError(f"{where}: a turn of the conversation is {raw!r}, and must be an object")
    role = str(raw.get("role", raw.get("from", ""))).strip().lower()
    if role not in _ROLES:
        raise DataError(
            f"{where}: nobody knows the role {role!r}: it is one of {', '.join(_ROLES)}"
        )
    value = raw.get("content", raw.get("value"))
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, Mapping)]
        value = "\n".join(part for part in parts if isinstance(part, str))
    return _ROLES[role], _plain(value, where)


def _text(raw: Mapping[str, Any], column: str, where: str) -> str:
    return _plain(raw.get(column), where)


def _plain(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where}: {value!r} is no text")
    return value.strip()
