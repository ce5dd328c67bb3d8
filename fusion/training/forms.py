"""The forms of a training row: what is asked, what is learnt, and what may not be taken for something else.

``prompt`` and ``completion``, or ``messages``, for SFT; ``prompt``, ``chosen`` and ``rejected`` for DPO: TRL's conversational
forms, with OpenAI's ``weight`` and KTO's ``label``. Only what the assistant says is learnt, each turn after all before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fusion.engines.base import Message
from fusion.training.messages import Turn, is_set, read_turns
from graphrouter.errors import shown

FORMS = {
    "sft": "prompt and completion, or messages",
    "dpo": "prompt, chosen and rejected",
}
OTHER_FORMS = {
    "conversations": "this is ShareGPT's form: rename conversations to messages, from to role (human: user, gpt: "
    "assistant) and value to content",
    "instruction": "this is Alpaca's form: write messages, with instruction and input as what the user says and output "
    "as what the assistant says",
    "preferred_output": "this is OpenAI's form of pairs: write input.messages as prompt, preferred_output as chosen and "
    "non_preferred_output as rejected",
    "text": "this is text without roles: write messages, with what the user and the assistant say",
}
"""Keys by which a form is known that is not read, and how to convert it."""

LABELS = ("label", "kto_tag")
"""Keys by which a row says whether its answer is good: TRL's and LLaMA-Factory's, for KTO (arXiv:2402.01306)."""

LABELLED, WEIGHED = "labelled as bad", "with weight 0 on what would be learnt"
"""Why a row is left out."""

UNSEEN = (
    "tools", "functions", "system", "history", "documents", "chat_template_kwargs", "images", "image", "videos", "audio",
    "audios",
)  # fmt: skip
"""Keys of a row that belong to its prompt, of which the chat template is given the messages alone."""

SHOWN_KEYS = 12
"""Keys of a row that an error names."""


class TrainingRow(NamedTuple):
    """A prompt and what is to follow it.

    Attributes:
        prompt: The conversation so far.
        completion: Text that is learnt; for ``dpo`` the preferred one.
        rejected: Text that it is preferred to; empty for ``sft``.
    """

    prompt: list[Message]
    completion: list[Message]
    rejected: list[Message]


def is_labelled_bad(values: dict[str, Any]) -> bool:
    """Whether a row says that its answer is bad.

    Raises:
        ValueError: If it has a label that is neither true nor false.
    """
    labels = {key: values[key] for key in LABELS if key in values}
    for key, label in labels.items():
        if label not in (True, False) or isinstance(label, float):
            raise ValueError(
                f"{key} must be true or false, which says whether an answer is good, but is {shown(label)}; "
                "mend it, or rename the key where it means something else"
            )
    return not all(labels.values())


def sft_rows(values: dict[str, Any], dropped: set[str]) -> list[TrainingRow]:
    """Return a row for each turn that is learnt; none where all have weight 0.

    Of a completion, every turn of the assistant is learnt; of messages the last, and earlier ones that have weight 1:
    the others are context, as few-shot examples are. No turn with weight 0 is learnt.

    Args:
        values: Values of one line.
        dropped: Gets the keys of messages that are not read.

    Raises:
        ValueError: If the line is of another form.
    """
    if "messages" not in values and not {"prompt", "completion"} <= values.keys():
        raise ValueError(f"must have {FORMS['sft']}, but has {_keys(values)}")
    _check_keys(values)
    if "prompt" in values and "completion" in values:
        prompt = read_turns(values["prompt"], "prompt", dropped)
        answer = _answer(prompt, values, "completion", dropped)
        turns, first = prompt + answer, len(prompt)
        places = [place for place in range(first, len(turns)) if turns[place].said and turns[place].weight != 0]
        return _split(turns, places, "completion")
    turns = read_turns(values["messages"], "messages", dropped)
    if len(turns) < 2:
        raise ValueError(f"messages must hold a question and its answer, but hold {len(turns)}")
    _check_end(turns, "messages")
    places = [place for place in range(1, len(turns) - 1) if turns[place].said and turns[place].weight == 1]
    return _split(turns, places + ([len(turns) - 1] if turns[-1].weight != 0 else []), "messages")


def dpo_rows(values: dict[str, Any], dropped: set[str]) -> list[TrainingRow]:
    """Return the pair of a line; the arguments and errors are those of `sft_rows`.

    What of the prompt is repeated in front of an answer is cut. Where there is no prompt, or its text alone, it is what the
    conversations ``chosen`` and ``rejected`` begin with, as in TRL.
    """
    given, whole = values.get("prompt"), _whole(values)
    if "chosen" not in values or "rejected" not in values or (given is None and not whole):
        raise ValueError(f"must have {FORMS['dpo']}, but has {_keys(values)}")
    _check_keys(values)
    written = isinstance(given, str) and whole
    prompt = [] if given is None or written else read_turns(given, "prompt", dropped)
    sides = [_answer(prompt, values, key, dropped) for key in ("chosen", "rejected")]
    if any(turn.weight == 0 for side in sides for turn in side):
        raise ValueError("chosen and rejected must be learnt, but one has weight 0; remove the weight or the row")
    shared = _shared(*sides) if not all(side[0].said for side in sides) else 0
    prompt += sides[0][:shared]
    chosen, rejected = (side[shared:] for side in sides)
    if not prompt or not (chosen[0].said and rejected[0].said):
        raise ValueError(
            "chosen and rejected must answer one prompt, but begin with "
            f"{shown(sides[0][0].message)} and {shown(sides[1][0].message)}"
        )
    if written and not any(turn.message["content"].strip() == str(given).strip() for turn in prompt):
        raise ValueError(
            f"prompt must be what chosen and rejected begin with, but is {shown(given)}; remove one of them"
        )
    return [TrainingRow(*map(_messages, (prompt, chosen, rejected)))]


def _check_keys(values: dict[str, Any]) -> None:
    for key in UNSEEN:
        if is_set(values.get(key)):
            raise ValueError(
                f"what is asked must stand in the messages, but the row has {key}, which the chat template is not "
                "given, so that answers to another prompt would be learnt; write it into a message, or remove it"
            )
    if is_set(values.get("weight")) and values["weight"] != 1:
        raise ValueError(f"rows count alike, but this one has weight {shown(values['weight'])}; remove it, or the row")


def _whole(values: dict[str, Any]) -> bool:
    """Whether both sides of a pair are conversations that begin with what is asked."""
    firsts = [side[0] for key in ("chosen", "rejected") if isinstance(side := values.get(key), list) and side]
    return len(firsts) == 2 and all(isinstance(one, dict) and one.get("role") != "assistant" for one in firsts)


def _answer(prompt: Sequence[Turn], values: dict[str, Any], key: str, dropped: set[str]) -> list[Turn]:
    """Return the text behind a prompt, without the end of the prompt where that is repeated in front of it."""
    turns = read_turns(values[key], key, dropped)
    _check_end(turns, key)
    sizes = range(min(len(prompt), len(turns)), 0, -1)
    cut = next((size for size in sizes if all(map(_same, prompt[-size:], turns[:size]))), 0)
    rest = turns[cut:]
    if not rest:
        raise ValueError(f"{key} must answer the prompt, but only repeats it")
    if prompt and prompt[-1].message["role"] == rest[0].message["role"] == "user":
        raise ValueError(
            f"{key} must answer the prompt, but asks again, {shown(rest[0].message)}; leave out the prompt, or cut it there"
        )
    return rest


def _check_end(turns: Sequence[Turn], key: str) -> None:
    if not turns[-1].said or not turns[-1].message["content"].strip():
        raise ValueError(f"{key} must end with what the assistant says, but ends with {shown(turns[-1].message)}")


def _split(turns: Sequence[Turn], places: Sequence[int], key: str) -> list[TrainingRow]:
    for place in places:
        if not turns[place].message["content"].strip():
            raise ValueError(f"{key} must not be learnt where the assistant says nothing; give that turn weight 0")
    messages = _messages(turns)
    return [TrainingRow(messages[:place], [messages[place]], []) for place in places]


def _shared(first: Sequence[Turn], second: Sequence[Turn]) -> int:
    """Return how many turns both begin with in common, less the last of each."""
    both = zip(first[:-1], second[:-1], strict=False)
    return next((place for place, pair in enumerate(both) if not _same(*pair)), min(len(first), len(second)) - 1)


def _same(first: Turn, second: Turn) -> bool:
    """Whether two messages are one, but for the space around them, which many a chat template cuts."""
    return first.message["role"] == second.message["role"] and (
        first.message["content"].strip() == second.message["content"].strip()
    )


def _messages(turns: Iterable[Turn]) -> list[Message]:
    return [turn.message for turn in turns]


def _keys(values: dict[str, Any]) -> str:
    """Return the keys of a row for an error, and how to convert it where its form is known."""
    hints = [f"; {hint}" for key, hint in OTHER_FORMS.items() if key in values]
    return (", ".join(str(key)[:40] for key in list(values)[:SHOWN_KEYS]) or "nothing") + "".join(hints[:1])
