"""``fusion judge``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from graphrouter.cli.options import KEEPS, add_command, finish, tell
from graphrouter.errors import UserError


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "judge",
        judge,
        "have an LLM score the responses of a log, and say how far it agrees with their performance",
        overrides="an option of the engine or a key of an LLM, such as base_url=http://localhost:8000/v1 input_price=0.2",
        resume=KEEPS,
    )
    parser.add_argument("log", metavar="LOG")
    parser.add_argument("--model", required=True, help="the judge, as the engine calls it")
    parser.add_argument("--engine", default="openai", help="openai, vllm or transformers (default: openai)")
    parser.add_argument("--out", metavar="LOG", help="folder for the log with scores (default: the log itself)")
    parser.add_argument("--rubric", metavar="FILE", help="text with {query} and {response}, and perhaps {reference}")
    parser.add_argument("--reference", action="store_true", help="show the judge the ground truth")
    parser.add_argument("--max-chars", type=int, default=8000, metavar="N", help="shorten longer texts (default: 8000)")
    parser.add_argument("--budget", type=float, metavar="USD", help="most dollars that judging the log may cost")
    parser.add_argument("--replace", action="store_true", help="replace scores that the log has from another judge")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)


def judge(args: argparse.Namespace) -> None:
    """Judge a log, and print the agreement."""
    from fusion.asking import raise_problems
    from fusion.judge import RUBRIC, Rubric
    from fusion.judge import judge as run
    from fusion.llms import make_llm
    from graphrouter.log import LLMLog
    from graphrouter.settings import parse_overrides

    values = {"engine": args.engine, "model": args.model, **parse_overrides(args.overrides)}
    llm = make_llm(values, "the judge")
    rubric = Rubric(_read(args.rubric) if args.rubric else RUBRIC, args.reference, args.max_chars)
    log = LLMLog.load(args.log)
    out = Path(args.out or args.log)
    judged, found, problems = run(
        log, llm, out, rubric=rubric, budget=args.budget, replace_scores=args.replace, progress=not args.quiet
    )
    tell(f"{out}: judge scores of {llm.name} for {judged.name}")
    print(found.text())
    raise_problems(problems)


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--rubric must name a text file, but {file}: {error}") from None
