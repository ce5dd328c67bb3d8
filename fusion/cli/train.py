"""``fusion train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from graphrouter.cli.options import add_command, add_run, add_settings, add_wandb, finish, tell

RESUME = "the last checkpoint is kept, and the same command goes on from there"


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "train",
        train,
        "fine-tune an LLM on selected responses: SFT, DPO or both",
        overrides="a key of the config, such as model=DIR data=DIR learning_rate=1e-5 lora.rank=8",
        resume=RESUME,
    )
    parser.add_argument(
        "config", metavar="CONFIG", help="YAML file, or a name in configs/train: sft, lora, dpo, sft_dpo"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the model; the same command goes on in it"
    )
    parser.add_argument("--chat-template", metavar="FILE", help="Jinja template, for a tokenizer without one")
    add_settings(parser, {"keys of a run": "fusion.training.config:TrainConfig"})
    add_run(parser)
    add_wandb(parser)
    finish(parser)


def train(args: argparse.Namespace) -> None:
    """Train, and say what came of it."""
    from fusion.training import read_config
    from fusion.training import train as run
    from fusion.training.processes import is_first
    from graphrouter.run import RunOptions

    config = read_config(args.config, args.overrides, chat_template=args.chat_template)
    out = Path(args.out)
    options = RunOptions(device=args.device, progress=not args.quiet, wandb=args.wandb, wandb_folder=out)
    options.wandb_name = f"{config.method}-{Path(config.model).name}-seed{config.seed}"
    about = run(config, out, options)
    if is_first():
        _report(about, out)


def _report(about: dict[str, Any], out: Path) -> None:
    for stage, done in about["stages"].items():
        tell(
            f"{stage}: {done['rows']:,} rows, {done['steps']:,} steps, loss {done['first_loss']:.4f} to {done['last_loss']:.4f}"
        )
        _report_rows(stage, done)
        if "validation" in done:
            _report_rows(f"{stage} validation", done["validation"])
    memory = about["peak_memory"]
    tell(
        f"{out}: trained on {about['completion_tokens']:,} tokens in {about['minutes']:.1f} minutes, "
        f"at most {memory['mib']:,.0f} MiB of the {memory['of']}"
    )


def _report_rows(what: str, done: dict[str, Any]) -> None:
    """Say which rows were left out, and what of the others was not read."""
    if done["skipped"]:
        tell(f"{what}: left out {done['skipped']:,} rows that are longer than the context allows")
    for reason, count in done.get("left_out", {}).items():
        tell(f"{what}: left out {count:,} rows {reason}")
    if dropped := done.get("dropped_keys"):
        keys = ", ".join(f"{key} ({count:,} rows)" for key, count in dropped.items())
        tell(f"{what}: keys of messages that the chat template is not given: {keys}")
    if done["bent_prompts"]:
        tell(f"{what}: the chat template writes {done['bent_prompts']:,} prompts otherwise once they are answered")
