"""``graphrouter routers``."""

from __future__ import annotations

import argparse
from typing import Any

from graphrouter.cli.options import add_command, finish


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "list the routers, or all settings of one: type, default, range, meaning, and what is tried on validation"
    parser = add_command(commands, "routers", routers, text)
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="a router, or FILE.py:CLASS; without it, all of them in a line each"
    )
    finish(parser)


def routers(args: argparse.Namespace) -> None:
    """Print the list, or the settings of one router."""
    from graphrouter.describe import format_router, format_routers, router_entries
    from graphrouter.routers import find_router

    print(format_router(find_router(args.name)) if args.name else format_routers(router_entries()))
