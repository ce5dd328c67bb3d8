"""Rows -> token ids, with what is learnt marked; rows that do not fit are left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from fusion.engines.base import Message
from fusion.training.rows import TrainingRow
from graphrouter.errors import UserError, first_line

IGNORED = -100
"""Label of a token that bears no loss."""

SLICE = 512
"""Rows that are tokenized together."""


@dataclass
class Encoded:
    """Rows as token ids.

    Attributes:
        rows: Those that fit, in order.
        prompts: Per row, how many tokens the prompt has.
        completions: Per row, the ids of prompt and completion.
        rejected: Per row, those of prompt and rejected response; empty for ``sft``.
        skipped: Rows longer than the limit.
        alike: Pairs whose chosen and rejected response are the same tokens, from which nothing can be learnt.
        longest: Tokens of the longest row, fitting or not.
        bent: Rows whose prompt is tokenized differently once a completion follows.
    """

    rows: list[TrainingRow] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    completions: list[list[int]] = field(default_factory=list)
    rejected: list[list[int]] = field(default_factory=list)
    skipped: int = 0
    alike: int = 0
    longest: int = 0
    bent: int = 0

    @property
    def labels(self) -> list[list[int]]:
        """Per row, the ids of the completion; `IGNORED` for the prompt."""
        pairs = zip(self.completions, self.prompts, strict=True)
        return [[IGNORED] * prompt + ids[prompt:] for ids, prompt in pairs]


def check_template(tokenizer: Any, ends: frozenset[int], model: str) -> None:
    """Check that prompts can be written, and that an answer has an end that can be learnt.

    Args:
        tokenizer: Tokenizer of the model.
        ends: Ids at which an engine ends a response.
        model: Its name, for errors.

    Raises:
        UserError: If the tokenizer has no chat template, or one that does not end an answer.
    """
    if tokenizer.chat_template is None:
        raise UserError(
            f"the tokenizer of {model} must have a chat template, but has none; "
            "give a Jinja file with --chat-template, or take an instruction-tuned model"
        )
    asked: list[Message] = [{"role": "user", "content": "a"}]
    answered = [*asked, {"role": "assistant", "content": "b"}]
    first, whole = (_ids(tokenizer, [part], add)[0] for part, add in ((asked, True), (answered, False)))
    if not ends.intersection(whole[_shared(first, whole) :]):
        known = ", ".join(tokenizer.convert_ids_to_tokens(sorted(ends))) or "none"
        raise UserError(
            f"the chat template of {model} must end an answer with an end token ({known}), but does not, so that the "
            "model would never learn to stop; give another with --chat-template"
        )


def encode(
    rows: Sequence[TrainingRow], tokenizer: Any, limit: int | None, what: str, progress: bool = False
) -> Encoded:
    """Tokenize rows with the chat template.

    A completion begins where the tokens of the prompt alone and of the whole part, as in TRL.

    Args:
        rows: Rows of one form.
        tokenizer: With a chat template.
        limit: Most tokens of a row; None for no limit.
        what: The rows are, for errors and the bar.
        progress: Whether to show a bar.

    Raises:
        UserError: If the template refuses a row, or none is left.
    """
    found = Encoded()
    with tqdm(total=len(rows), desc=f"tokenizing {what}", unit="row", disable=not progress, leave=False) as bar:
        for start in range(0, len(rows), SLICE):
            _encode(rows[start : start + SLICE], tokenizer, limit, found)
            bar.update(len(rows[start : start + SLICE]))
    if not found.rows and found.alike:
        raise UserError(
            f"the {what} rows must have pairs that differ, but of {len(rows):,} {found.alike:,} have a chosen response "
            f"equal to the rejected one and {found.skipped:,} are too long; mend the pairs"
        )
    if not found.rows:
        raise UserError(
            f"the {what} rows must fit into {limit} tokens, but none of {len(rows):,} does (the longest has "
            f"{found.longest:,}); raise max_length, or take a model with a longer context"
        )
    return found


def _encode(rows: Sequence[TrainingRow], tokenizer: Any, limit: int | None, found: Encoded) -> None:
    before = _ids(tokenizer, [row.prompt for row in rows], True)
    after = _ids(tokenizer, [row.prompt + row.completion for row in rows], False)
    worse = _ids(tokenizer, [row.prompt + row.rejected for row in rows if row.rejected], False)
    for number, row in enumerate(rows):
        ids = [after[number], *worse[number : number + 1]]
        longest = max(map(len, ids))
        found.longest = max(found.longest, longest)
        if len(ids) > 1 and ids[0] == ids[1]:
            found.alike += 1
            continue
        if limit is not None and longest > limit:
            found.skipped += 1
            continue
        shared = [_shared(before[number], text) for text in ids]
        found.bent += min(shared) < len(before[number])
        found.rows.append(row)
        found.prompts.append(shared[0])
        found.completions.append(ids[0])
        found.rejected += ids[1:]


def _ids(tokenizer: Any, conversations: Sequence[list[Message]], ask: bool) -> list[list[int]]:
    """Return the ids of conversations; with ``ask``, up to where the assistant is to speak."""
    if not conversations:
        return []
    try:
        texts = [
            tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=ask)
            for conversation in conversations
        ]
    except Exception as error:  # a template may raise anything, and refuses in this way the roles that it lacks
        raise UserError(f"the chat template must write every row, but refuses one: {first_line(error)}") from None
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many ids two sequences begin with in common."""
    both = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(both) if a != b), min(len(first), len(second)))
