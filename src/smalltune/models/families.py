"""Families: what differs from one family of models to another, read off the tokeniser.

No rule asks for a model's name, so a family that nobody has heard of is met by the same ones.

opening     Llama and DeepSeek tokenisers put a BOS before a text, Qwen's have none; a chat
            template writes its own, and it is never written twice
answer      what follows a prompt is tokenised together with it: a space belongs to the word in
            Llama's vocabulary and in byte-level ones, and a prompt's last space would part them
turns       a template sees a fixed day (Llama 3.2 prints the date) and no thinking (Qwen3); a
            block of reasoning that it opens (DeepSeek-R1) is closed, so that the answer follows
spellings   of special tokens in a text are text: plain, `<|im_end|>` is tokenised as characters;
            in a chat, where the template's own must work, it is broken into `< |im_end|>` first
roles       a template that refuses a system's turn, or leaves its text out, gets that text at the
            head of the user's first turn; one that refuses to begin with the assistant does not
documents   stand between BOS and EOS; without a BOS between two EOS; where EOS ends a turn of a
            chat (Qwen's and Llama's instruct forms), the vocabulary's end of text stands instead
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from smalltune.core.errors import ModelError
from smalltune.models.cutting import batch
from smalltune.models.sources import called

__all__ = ["NO_TEMPLATE", "Prompts", "Said", "bounds", "opening"]

Said = str | Sequence[tuple[str, str]]
"""A prompt: a text, or in a chat role and text of each turn before the answer."""

GAP = "\n\n"
"""What stands between solved items and the next one, where no template says it."""

DAY = date(2024, 7, 26)
"""The day that every chat template is told: the one that Llama 3.2's takes without a clock."""

NO_TEMPLATE = (
    "`chat: true`, but the model has no chat template: say `chat: false`, or name the model's "
    "instruct form as the source"
)

CLOCK = re.compile(r"strftime_now\(\s*(['\"])(.*?)\1\s*\)")
OPEN_THOUGHT = re.compile(r"<think>\s*\Z")
CLOSED_THOUGHT = "<think>\n\n</think>\n\n"

_PROBE = "Zq"  # an answer that no template holds by itself

MARKS = ("<|", "<\N{FULLWIDTH VERTICAL LINE}")
ENDS_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>")
ENDS_OF_TURN = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|eot|>")


@dataclass(frozen=True)
class Prompts:
    """Texts as one model reads them: plain, or with `chat` as a user's turn in its template.

    In a chat a prompt may also be a conversation, turn by turn.
    """

    tokeniser: Any
    chat: bool = False

    def encode(self, texts: Iterable[Said]) -> list[list[int]]:
        """Return the tokens of each prompt, the last of them the one before the answer.

        Raises ModelError when `chat` is asked of a model without a chat template.
        """
        shown = [self.shown(text) for text in texts]
        if not shown:
            return []
        found = batch(self.tokeniser, shown, special=self.chat)
        opening = self._opening
        if not opening:
            return found
        return [ids if ids[: len(opening)] == opening else opening + ids for ids in found]

    def shown(self, text: Said) -> str:
        """Return what stands before the answer; spaces at its end go over to the answer."""
        return self._written(text).rstrip(" ")

    def answers(self, text: str, words: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Return the tokens of each word as the answer to the prompt `text`."""
        before = self.shown(text)
        read = self._tokens(before)
        found = []
        for word in words:
            said = self._lead(text, word) + word
            whole = self._tokens(before + said)
            joined = whole[: len(read)] == read and len(whole) > len(read)
            found.append(tuple(whole[len(read) :] if joined else self._tokens(said)))
        return tuple(found)

    def replies(self, text: str, replies: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each reply, a free text, as the answer to the prompt `text`.

        As `answers`, but for many replies: what stands between prompt and reply is asked once, and
        in a chat a special token that is spelt out in a reply is text.
        """
        before, lead = self.shown(text), self._lead(text, "a")
        read = self._tokens(before)
        said = [lead + (self._harmless(reply) if self.chat else reply) for reply in replies]
        found = batch(self.tokeniser, [before + each for each in said], special=self.chat)
        apart = [i for i, ids in enumerate(found) if ids[: len(read)] != read]
        alone = batch(self.tokeniser, [said[i] for i in apart], special=self.chat) if apart else []
        found = [ids[len(read) :] for ids in found]
        for i, ids in zip(apart, alone, strict=True):
            found[i] = ids
        return found

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The tokens before the first of several solved items, and those between two of them.

        In a chat these are what the template writes before a user's first turn, and what it writes
        from the assistant's answer to the user's next turn.
        """
        if not self.chat:
            return self._opening, batch(self.tokeniser, [GAP])[0]
        asked, answered, again = (f"{_PROBE}{n}" for n in range(3))
        turns = (("user", asked), ("assistant", answered), ("user", again))
        first, _, rest = self._turns(turns).partition(asked)
        between = rest.partition(answered)[2].partition(again)[0]
        return self._tokens(first.rstrip(" ")), self._tokens(between.rstrip(" "))

    @cached_property
    def thought(self) -> list[int]:
        """The tokens before an answer to come that do not stand before one of an earlier turn.

        In a chat that is the closed block of reasoning, where the template writes or opens one.
        """
        if not self.chat:
            return []
        asked, answered, again = (f"{_PROBE}{n}" for n in range(3))
        earlier = self._turns((("user", asked), ("assistant", answered), ("user", again)))
        before = self._tokens(earlier.partition(answered)[0].rstrip(" "))
        whole = self._tokens(self.shown(asked))
        return whole[len(before) :] if whole[: len(before)] == before else []

    def settled(self, turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return a conversation with the roles that the template takes, and every text."""
        said = list(turns)
        if said and said[0][0] == "system" and "system" in self._refused:
            (_, system), *said = said
            first = next((i for i, (role, _) in enumerate(said) if role == "user"), None)
            if first is not None and system:
                said[first] = ("user", f"{system}{GAP}{said[first][1]}")
        begin = next((i for i, (role, _) in enumerate(said) if role != "system"), 0)
        while said[begin:] and said[begin][0] == "assistant" and "assistant" in self._refused:
            del said[begin]
        return said

    @cached_property
    def _refused(self) -> set[str]:
        """The roles with which no conversation may begin, or whose text the template leaves out."""
        return {role for role in ("system", "assistant") if not self._begins(role)}

    def _begins(self, role: str) -> bool:
        said = [(role, f"{_PROBE}0"), ("user", f"{_PROBE}1")]
        try:
            written = self._applied(said)
        except ModelError:
            return False
        return all(text in written for _, text in said)

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end an answer: the one to be learned, then others that are understood.

        In a chat the first is what the template writes after the assistant's turn, otherwise what
        stands after a document. Raises ModelError for a tokeniser that has no token for it: of a
        mark in several pieces the first may stand within an answer.
        """
        ends = []
        if self.chat:
            after = self._turns("a", _PROBE).rpartition(_PROBE)[2].strip()
            ends = self._tokens(after) if after else []
            if ends[1:] and ends[0] not in self.tokeniser.added_tokens_decoder:
                raise ModelError(
                    f"{called(self.tokeniser.name_or_path)}: its chat template ends an answer with "
                    f"{after[:40]!r}, for which its tokeniser has no token: add the token to the "
                    "tokeniser, or say `chat: false`"
                )
        ends = [*ends[:1], bounds(self.tokeniser)[1]]
        if self.tokeniser.eos_token_id is not None:
            ends.append(int(self.tokeniser.eos_token_id))
        return tuple(dict.fromkeys(ends))

    def _harmless(self, text: str) -> str:
        return self._spellings.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)

    def _tokens(self, text: str) -> list[int]:
        return batch(self.tokeniser, [text], special=self.chat)[0]

    @cached_property
    def _spellings(self) -> re.Pattern[str]:
        """The tokens that may steer a chat; DeepSeek's for its turns are not marked as special."""
        added = self.tokeniser.added_tokens_decoder.values()
        marks = [t.content for t in added if t.special or t.content.startswith(MARKS)]
        longest_first = sorted((mark for mark in marks if len(mark) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    @cached_property
    def _opening(self) -> list[int]:
        return [] if self.chat else opening(self.tokeniser)

    @cached_property
    def _template(self) -> str:
        """The chat template with the clock that it may ask stopped at one day."""
        try:
            template = str(self.tokeniser.get_chat_template())
        except ValueError:
            raise ModelError(f"{called(self.tokeniser.name_or_path)}: {NO_TEMPLATE}") from None
        return CLOCK.sub(lambda asked: repr(DAY.strftime(asked[2])), template)

    def _written(self, text: Said) -> str:
        return self._turns(text) if self.chat else str(text)

    def _lead(self, text: str, word: str) -> str:
        """Return what stands between the prompt and a word: nothing or a space, mostly."""
        written = self._written(text)
        spaces = written[len(written.rstrip(" ")) :]
        if spaces:
            return spaces
        if not self.chat:
            return "" if written.endswith("\n") else " "
        whole = self._turns(text, word)
        rest = whole.removeprefix(written) if whole.startswith(written) else word
        lead = rest.partition(word)[0]
        return lead if lead.isspace() else ""

    def _turns(self, text: Said, answer: str | None = None) -> str:
        """Return a conversation as the template writes it: open for the answer, or answered."""
        said = [("user", text)] if isinstance(text, str) else self.settled(text)
        return OPEN_THOUGHT.sub(lambda _: CLOSED_THOUGHT, self._applied(said, answer))

    def _applied(self, said: Sequence[tuple[str, str]], answer: str | None = None) -> str:
        """Return what the template makes of turns; raises ModelError where it refuses them."""
        from jinja2 import TemplateError

        turns = [{"role": role, "content": self._harmless(each)} for role, each in said]
        if answer is not None:
            turns.append({"role": "assistant", "content": answer})
        try:
            written = self.tokeniser.apply_chat_template(
                turns,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=answer is None,
                date_string=DAY.strftime("%d %b %Y"),
                enable_thinking=False,
                thinking=False,
            )
        except (TemplateError, TypeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"{called(self.tokeniser.name_or_path)}: its chat template does not take "
                f"{_roles(turns)} ({reason}): say `chat: false`"
            ) from None
        return str(written)


def _roles(turns: Sequence[Mapping[str, str]]) -> str:
    """Return in words whose turns a conversation has."""
    roles = [turn["role"] for turn in turns]
    if roles in (["user"], ["user", "assistant"]):
        return "a user's turn and an answer"
    return f"the turns {', '.join(roles)}"


def bounds(tokeniser: Any) -> tuple[int, int]:
    """Return the tokens before and after a document of running text.

    Raises ModelError for a tokeniser that has no token for either.
    """
    end = tokeniser.eos_token
    if end is None or end in ENDS_OF_TURN:
        known = tokeniser.get_vocab()
        end = next((token for token in ENDS_OF_TEXT if token in known), end)
    begin = opening(tokeniser)[:1] or [tokeniser.bos_token_id]
    if end is None:
        raise ModelError(
            f"{called(tokeniser.name_or_path)}: its tokeniser has no token that ends a text, so "
            "documents cannot be told apart: give it an `eos_token`"
        )
    after = int(tokeniser.convert_tokens_to_ids(end))
    return (after if begin[0] is None else int(begin[0])), after


def opening(tokeniser: Any) -> list[int]:
    """Return the tokens that a tokeniser puts before a text; what it puts after is left out."""
    bare = batch(tokeniser, ["a"])[0]
    whole: list[int] = list(tokeniser("a")["input_ids"])
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start]
    return []
