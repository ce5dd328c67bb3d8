"""The LLMs that are asked: names, prices and engines, from a YAML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fusion.engines import find_engine
from fusion.engines.base import Engine, Message, Sampling
from fusion.tasks.base import STYLES
from graphrouter.errors import UserError, suggest
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE_SHARE, Allowed, check_fields
from graphrouter.settings import check, merge, read_yaml

THINK = "_think"
"""Ending of a candidate's name in the style ``reasoning``, as in FusionBench."""

ALLOWED: dict[str, Allowed] = {
    "input_price": NOT_NEGATIVE,
    "output_price": NOT_NEGATIVE,
    "styles": STYLES,
    "max_tokens": COUNT,
    "temperature": NOT_NEGATIVE,
    "top_p": POSITIVE_SHARE,
}
"""Range or names of each key that has them."""


@dataclass
class LLM:
    """One LLM and how it is asked.

    Attributes:
        name: As in the log; the style ``reasoning`` adds ``_think``.
        model: As the engine calls it: a served name, a folder or a hub name. A folder is relative to the YAML file.
        engine: ``openai`` (any server of that API), ``vllm`` or ``transformers``.
        input_price: US dollars per million tokens; None where unknown, and then so is the cost.
        output_price: The same for tokens of the response.
        size_b: Billions of parameters, or None.
        description: Text for the LLM's node in the graph, or None.
        styles: Prompting styles; each is a candidate.
        system: System message, or None.
        max_tokens: Most tokens of a response, in place of the task's; None for the task's.
        temperature: 0 for greedy decoding. With several draws it should be above 0.
        top_p: Nucleus that is sampled from.
        stop: Texts that end a response.
        options: Further options of the engine, such as ``base_url`` and ``concurrency``.
    """

    name: str
    model: str
    engine: str = "openai"
    input_price: float | None = None
    output_price: float | None = None
    size_b: float | None = None
    description: str | None = None
    styles: list[str] = field(default_factory=lambda: ["direct"])
    system: str | None = None
    max_tokens: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    stop: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise UserError(f"the name of an LLM must be text, but is {self.name!r}; change it")
        if not self.styles:
            raise UserError(f"LLM {self.name}: styles must be one or more of {', '.join(STYLES)}, but is empty")
        check_fields(self, ALLOWED, f"LLM {self.name}: ")
        self._check_options()

    def _check_options(self) -> None:
        kind = find_engine(self.engine)
        known = [entry.name for entry in dataclasses.fields(kind) if entry.init and entry.name != "model"]  # type: ignore[arg-type]
        for option in self.options:
            if option not in known:
                fields = [entry.name for entry in dataclasses.fields(self) if entry.name != "options"]
                raise UserError(
                    f"LLM {self.name}: {option!r} is neither a key of an LLM nor an option of the engine "
                    f"{self.engine}{suggest(option, [*fields, *known])}"
                )

    def candidate(self, style: str, guide: str | None = None) -> str:
        """Return the name in the log of this LLM in one style, and shown one guide or none."""
        return self.name + (THINK if style == "reasoning" else "") + (f"_{guide}" if guide else "")

    def make_engine(self) -> Engine:
        """Return the engine; nothing is loaded or connected yet where that takes time.

        Raises:
            UserError: If an option has a value that the engine cannot use.
        """
        from fusion.tasks.graders.reading import STOP_SEQUENCES

        kind = find_engine(self.engine)
        try:
            engine = kind(model=self.model, **self.options)  # type: ignore[call-arg]
        except (TypeError, ValueError) as error:
            raise UserError(f"LLM {self.name}: options of the engine {self.engine}: {error}") from error
        engine.questions = STOP_SEQUENCES
        return engine

    def messages(self, prompt: str) -> tuple[Message, ...]:
        """Return the conversation that asks a prompt."""
        return self.with_system(({"role": "user", "content": prompt},))

    def with_system(self, turns: Sequence[Message]) -> tuple[Message, ...]:
        """Return a conversation below this LLM's system message, where it has one."""
        return (*(({"role": "system", "content": self.system},) if self.system else ()), *turns)

    def sampling(self, max_tokens: int, seed: int) -> Sampling:
        """Return how a response is decoded.

        Args:
            max_tokens: Limit of the task.
            seed: Seed of this draw.
        """
        return Sampling(self.max_tokens or max_tokens, self.temperature, self.top_p, tuple(self.stop), seed)

    def price(self, input_tokens: float | None, output_tokens: float | None) -> float | None:
        """Return US dollars for these tokens, or None where a count or a price is unknown."""
        if input_tokens is None or output_tokens is None or self.input_price is None or self.output_price is None:
            return None
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6


def make_llm(values: dict[str, Any], where: str) -> LLM:
    """Make an LLM from flat keys: fields of `LLM`, and options of its engine.

    Args:
        values: ``name`` may be left out; then it is the model's.
        where: Named in errors.

    Raises:
        UserError: If a key is unknown, absent or of the wrong type.
    """
    fields = {entry.name for entry in dataclasses.fields(LLM)}
    own = {key: value for key, value in values.items() if key in fields}
    options = {key: value for key, value in values.items() if key not in fields}
    if not isinstance(own.get("model"), str):
        raise UserError(f"{where} must have 'model', as text, but has {own.get('model')!r} there; add it")
    own.setdefault("name", own["model"])
    own["options"] = merge(options, own.get("options") or {})
    return LLM(**check(LLM, own, where))


def read_llms(file: str | Path, names: list[str] | None = None) -> list[LLM]:
    """Read ``llms.yaml``: a list ``llms``, and optionally ``defaults`` that hold for each of them.

    Args:
        file: The YAML file.
        names: Only these, in this order; None for all.

    Raises:
        UserError: If it is not of that form, a name occurs twice, or a name asked for is not there.
    """
    values = read_yaml(file)
    unknown = set(values) - {"llms", "defaults"}
    if unknown or not isinstance(values.get("llms"), list) or not values["llms"]:
        raise UserError(f"{file} must hold a list 'llms' and optionally 'defaults', but holds {', '.join(values)}")
    llms = []
    for number, entry in enumerate(values["llms"], start=1):
        where = f"{file}, LLM {number}"
        if not isinstance(entry, dict):
            raise UserError(f"{where} must be a mapping with name, engine and model, but is {entry!r}")
        llms.append(make_llm(_with_folder(merge(values.get("defaults") or {}, entry), Path(file).parent), where))
    known = [llm.name for llm in llms]
    twice = next((name for name in known if known.count(name) > 1), None)
    if twice:
        raise UserError(f"{file}: a name must occur once, but {twice!r} occurs twice; rename one")
    return llms if names is None else [llms[_find(name, known, file)] for name in names]


def _find(name: str, known: list[str], file: str | Path) -> int:
    if name not in known:
        raise UserError(f"{file} has no LLM {name!r}{suggest(name, known)}")
    return known.index(name)


def _with_folder(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make a model that is a folder beside the YAML file a path from here."""
    model = values.get("model")
    if isinstance(model, str) and not Path(model).is_absolute() and (folder / model).is_dir():
        return values | {"model": str(folder / model)}
    return values
