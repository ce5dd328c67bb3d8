"""The ``command`` of a sweep file: how W&B's agent starts a run, and what it adds to what is drawn.

The macros are those of https://docs.wandb.ai/models/sweeps/define-sweep-configuration. A local sweep needs no command,
as its runs are those of `experiments.run`; it reads the command so that a file means the same here and on W&B's servers.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import PurePosixPath
from typing import Any

from graphrouter.errors import UserError, suggest

MODULE, PROGRAM = "experiments.run", "experiments/run.py"
DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
"""W&B's own, where a file has no command."""

OWN_OPTIONS = ("--out", "--wandb", "--project")
"""Options of `experiments.run` that may stand in a command; a local sweep has options of its own in their place."""

OTHER_OPTIONS = ("--device", "--help", "--version")
"""Options of `experiments.run` that a local sweep does not have."""

TAKEN = ("${args}", "${args_no_hyphens}")
"""Macros that write all parameters as `experiments.run` reads them: ``--key=value`` or ``key=value``."""

FLAGS = "${args_no_boolean_flags}"
NOT_READ = {
    "${args_json}": "writes JSON",
    "${args_json_file}": "writes the name of a JSON file",
    "${args_no_equals}": "writes --key and value apart",
    "${args_append_hydra}": "writes +key=value",
    "${args_override_hydra}": "writes ++key=value",
}
"""Macros that write what `experiments.run` does not read."""

BEFORE = ("${env}", "${interpreter}", "${program}")
_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")


def read_command(source: dict[str, Any], where: str, flags: bool) -> list[str]:
    """Return the ``key=value`` words that a command adds to what W&B draws.

    Args:
        source: The sweep file.
        where: For errors.
        flags: Whether a parameter may be true or false.

    Raises:
        UserError: If it starts something else than `experiments.run`, or hands over the parameters in a form that this
            does not read.
    """
    given, program = source.get("command"), source.get("program")
    if given is None and program is None:
        return []
    if given is not None and not isinstance(given, list):
        raise UserError(f"{where}: command must be a list of words, as in {list(DEFAULT)}, but is {given!r}")
    words = [_with_variables(str(word), where) for word in (DEFAULT if given is None else given)]
    rest = _after_program(words, program, where)
    drawn = any(word in (*TAKEN, FLAGS) for word in rest)
    found = []
    while rest:
        word = rest.pop(0)
        option, has_value, _ = word.partition("=")
        if option in OWN_OPTIONS:
            if not has_value and rest:
                rest.pop(0)
        elif "${" in word:
            _check_macro(word, where, flags)
        elif word != "--quiet":
            found.append(_value(word, where))
    if not drawn:
        raise UserError(f"{where}: command must hold ${{args_no_hyphens}}, or every run would be the same; add it")
    return found


def _with_variables(word: str, where: str) -> str:
    def of(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise UserError(f"{where}: command needs the environment variable {found[1]}, which is not set; set it")
        return os.environ[found[1]]

    return _VARIABLE.sub(of, word)


def _after_program(words: list[str], program: object, where: str) -> list[str]:
    """Return the words after the program, which must be `experiments.run`."""
    for place, word in enumerate(words):
        if word == MODULE and "-m" in words[:place]:
            return words[place + 1 :]
        if words[place - 1 : place + 2] == ["-m", *MODULE.split(".")]:
            return words[place + 2 :]
        if word == "${program}" and not is_program(program):
            raise UserError(f"{where}: program must be {PROGRAM}, which is what is run here, but is {program!r}")
        if word == "${program}" or is_program(word):
            return words[place + 1 :]
    raise UserError(
        f"{where}: command must be a list with '${{program}}', which is {PROGRAM}, or '-m', '{MODULE}', because that is "
        f"what is run here, but is {words!r}"
    )


def is_program(given: object) -> bool:
    """Whether a path is that of `experiments.run`, such as ``./experiments/run.py``."""
    return isinstance(given, str) and PurePosixPath(given).parts[-2:] == PurePosixPath(PROGRAM).parts


def _check_macro(word: str, where: str, flags: bool) -> None:
    if word in TAKEN or (word == FLAGS and not flags):
        return
    if word == FLAGS:
        raise UserError(
            f"{where}: command has {word}, which leaves out a parameter that is false, so that a run would take its default; "
            "use ${args_no_hyphens}"
        )
    if word in NOT_READ:
        raise UserError(f"{where}: command has {word}, which {NOT_READ[word]}; {MODULE} reads ${{args_no_hyphens}}")
    known = [*TAKEN, FLAGS, *BEFORE, "${envvar:NAME}"]
    raise UserError(f"{where}: command has {shlex.quote(word)}, which is not supported{suggest(word, known)}")


def _value(word: str, where: str) -> str:
    """Return a ``key=value`` word; ``--key=value`` is the same."""
    option = word.partition("=")[0]
    if "=" not in word or option in OTHER_OPTIONS or (word.startswith("-") and not word.startswith("--")):
        raise UserError(
            f"{where}: command has {shlex.quote(word)}, which is not supported; a value is KEY=VALUE, such as seeds=2"
        )
    return word.removeprefix("--")
