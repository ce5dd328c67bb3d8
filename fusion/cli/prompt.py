"""``fusion prompt``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import ENCODER_HELP, add_command, add_rare_tasks, finish, tell
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.guidance import Guide


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "write the prompts for questions as messages: as they are, or with solved examples or thoughts"
    parser = add_command(commands, "prompt", prompt, text)
    parser.add_argument(
        "questions", metavar="LOG_OR_FILE", help="a log; a JSONL file with query, task; or a question a line"
    )
    parser.add_argument("--templates", metavar="LIBRARY", help="show thoughts from it")
    parser.add_argument("--shots", metavar="LOG", help="show solved examples from its training queries")
    parser.add_argument("--ranking", default="graph", help="chooses the examples' responses (default: graph)")
    parser.add_argument("--shown", type=int, default=3, metavar="N", help="at most N of them (default: 3)")
    parser.add_argument("--tokens", type=int, default=2048, metavar="N", help="most tokens of a prompt (default: 2048)")
    parser.add_argument(
        "--tokenizer", metavar="MODEL", help="counts the tokens: folder or hub name (default: estimate)"
    )
    parser.add_argument("--encoder", metavar="SPEC", help=f"says which queries are near: {ENCODER_HELP}")
    parser.add_argument("--split-seed", type=int, default=0, metavar="N", help="of the split of --shots (default: 0)")
    add_rare_tasks(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="JSONL for the prompts; one there is replaced")
    finish(parser)


def prompt(args: argparse.Namespace) -> None:
    """Write the prompts, and say how many are guided."""
    from fusion.guidance import Room, find_room
    from fusion.guidance.written import read_questions, write_prompts
    from fusion.llms import LLM
    from graphrouter.files import check_writable

    if args.templates and args.shots:
        raise UserError("a prompt can show thoughts or solved examples, but both were asked for; leave one out")
    out = Path(args.out)
    check_writable(out.parent, "prompts")
    asked = read_questions(args.questions)
    guide = _guide(args)
    room = Room(args.tokens)
    if args.tokenizer:
        room = find_room(LLM("--tokenizer", args.tokenizer, engine="transformers"), args.tokens)
    shown = write_prompts(asked, guide, room, out)
    guided = f", {sum(map(bool, shown)):,} of them guided, by {sum(shown) / len(shown):.1f} each" if guide else ""
    tell(f"{out}: {len(shown):,} prompts{guided}")


def _guide(args: argparse.Namespace) -> Guide | None:
    from graphrouter.log import load_log

    if args.shots:
        from fusion.guidance.shots import Shots
        from graphrouter.prepared import prepare

        source = prepare(load_log(args.shots, args.rare_tasks), args.encoder, seed=args.split_seed)
        return Shots(args.shown, source=source, rank_by=args.ranking)
    if args.templates:
        from fusion.guidance.thoughts import Thoughts
        from fusion.templates import Library

        library = Library.load(args.templates, encoder=args.encoder)
        return Thoughts(args.shown, library=library, name=args.templates)
    return None
