"""``fusion select``."""

from __future__ import annotations

import argparse
from typing import Any

from fusion.cli.rank import add_keep_ranking
from graphrouter.cli.options import ENCODER_HELP, add_command, add_rare_tasks, add_settings, finish, names, tell

LISTS = ("skip", "llms", "without_llms", "licences", "styles", "against")
"""Settings that an option gives as ``A,B``."""

PLAIN = ("ranking", "top_k", "seed", "encoder", "max_size", "rows", "tokens", "tokenizer", "pairs")


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "select",
        select,
        "select fine-tuning data from the ranked responses of a log",
        overrides="any setting of the selection, such as easy=0.9 longest=3 similarity=0.98",
        resume="nothing was written; run the same command again",
    )
    parser.add_argument("log", metavar="LOG")
    parser.add_argument(
        "--out", required=True, metavar="DATA", help="folder for the data; a selection there is replaced"
    )
    parser.add_argument("--config", metavar="FILE", help="YAML with settings; options and KEY=VALUE come before it")
    parser.add_argument(
        "--ranking",
        help="performance, judge, hybrid, graph, random or baseline (default: performance, which takes any log and fits "
        "nothing; graph, the default of rank, mine and prompt, wants 32 queries or more of two LLMs and fits ten GNNs)",
    )
    add_keep_ranking(parser)
    parser.add_argument("--top-k", type=int, metavar="K", help="most responses per query (default: 5)")
    parser.add_argument("--seed", type=int, help="of the split and of every choice by chance (default: 0)")
    parser.add_argument("--encoder", help=ENCODER_HELP)
    add_rare_tasks(parser)
    parser.add_argument(
        "--skip", metavar="A,B", help="rules to leave out; 'extras' for all beyond the k best right ones"
    )
    parser.add_argument("--llms", metavar="A,B", help="only these LLMs; * and ? stand for any letters")
    parser.add_argument("--without-llms", metavar="A,B", help="not these LLMs")
    parser.add_argument(
        "--max-size", type=float, metavar="B", help="no LLM of more billions of parameters, or unknown ones"
    )
    parser.add_argument("--licences", metavar="A,B", help="only LLMs of these licences, by the log's column 'licence'")
    parser.add_argument("--styles", metavar="A,B", help="only these prompting styles, by the log's column 'style'")
    parser.add_argument("--against", metavar="LOG,LOG", help="further logs that the student is to be evaluated on")
    parser.add_argument("--rows", type=int, metavar="N", help="budget in rows, in equal parts of tasks")
    parser.add_argument("--tokens", type=int, metavar="N", help="budget in tokens of responses")
    parser.add_argument("--tokenizer", metavar="DIR", help="counts tokens (default: one for four characters)")
    parser.add_argument("--pairs", help="hardest, widest or off (default: hardest)")
    add_settings(parser, {"settings of a selection": "fusion.selection.settings:SelectionSettings"})
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)


def select(args: argparse.Namespace) -> None:
    """Select, write the folder, and say what each rule kept."""
    from pathlib import Path

    from fusion.selection import make_settings
    from fusion.selection import select as run
    from fusion.selection.output import check_folder
    from graphrouter.log import load_log
    from graphrouter.settings import merge, parse_overrides, read_yaml

    given = {name: getattr(args, name) for name in PLAIN}
    given |= {name: names(text) for name in LISTS if (text := getattr(args, name)) is not None}
    chosen = {name: value for name, value in given.items() if value is not None}
    values = merge(read_yaml(args.config) if args.config else {}, chosen)
    settings = make_settings(merge(values, parse_overrides(args.overrides)), args.config or "the selection")
    check_folder(Path(args.out))
    cache = Path(args.keep_ranking) if args.keep_ranking else None
    made = run(load_log(args.log, args.rare_tasks), settings, cache=cache, progress=not args.quiet)
    made.save(args.out)
    print(made.summary())
    tell(f"{args.out}: README.md says what was selected and how")
