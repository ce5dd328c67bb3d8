"""The folder of a saved router: ``router.json``, and the file that it names with what was learnt.

The file's name holds a hash of its content, so the two go together, and exchanging ``router.json`` exchanges both.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from pathlib import Path
from typing import Any

from graphrouter.encoders import Encoder, find_encoder
from graphrouter.encoders.pretrained import PretrainedEncoder
from graphrouter.errors import UserError, cut
from graphrouter.files import check_writable, replace_file
from graphrouter.pipeline.storage import read_state, state_bytes

FORMAT = 3
"""Format 1 had no digest of ``router.json``; format 2 had other names for what a router learnt."""

OWN_FILES = {"router.json", "config.yaml", "wandb"}
"""Names in a folder whose training was cut off before a router was saved."""


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a training: ``checkpoint.pt``, or one for each scenario that a router trains for."""
    return [file for file in folder.glob("checkpoint*.pt") if re.fullmatch(r"checkpoint(\.\w+)?\.pt", file.name)]


def check_folder(folder: Path) -> None:
    """Check the folder that a router is to be saved in, before any work is done.

    Raises:
        UserError: If it holds other things than a saved router, or cannot be written.
    """
    check_writable(folder, "a router")
    if not folder.is_dir() or (folder / "router.json").exists():
        return
    others = {file.name for file in folder.iterdir() if not file.name.startswith((".", "state-"))}
    others -= {*OWN_FILES, *(file.name for file in checkpoints(folder))}
    if others:
        raise UserError(
            f"{folder} must be new, empty or a saved router, but holds {min(others)!r}; name another folder"
        )


def write_folder(folder: Path, about: dict[str, Any], state: dict[str, Any]) -> Path:
    """Save a router.

    Args:
        folder: See `check_folder`.
        about: Values that JSON can hold.
        state: Values that `graphrouter.pipeline.storage.state_bytes` can hold.
    """
    check_folder(folder)
    content = state_bytes(state)
    digest = hashlib.sha256(content).hexdigest()
    file = folder / f"state-{digest[:16]}.pt"
    replace_file(file, content)
    about = {"format": FORMAT, "state": {"file": file.name, "sha256": digest}, **about}
    about["sha256"] = about_digest(about)
    replace_file(folder / "router.json", json.dumps(about, indent=2, allow_nan=False).encode() + b"\n")
    for old in folder.glob("state-*.pt"):
        if old != file:
            old.unlink(missing_ok=True)
    return folder


def about_digest(about: dict[str, Any]) -> str:
    """Return the SHA-256 of what ``router.json`` says, whatever the order of its keys and the white space."""
    said = {key: value for key, value in about.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `write_folder` wrote.

    Raises:
        UserError: If the folder holds no saved router of this format, or one that is damaged.
    """
    file = folder / "router.json"
    try:
        about = json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"a saved router must be a folder with router.json, but {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} must be JSON, but is damaged ({cut(str(error))}); train the router again") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(
            f"{file} must be a router saved in format {FORMAT}, but is not; train it again with this version"
        )
    if about.get("sha256") != about_digest(about):
        raise UserError(f"{file} must be as it was saved, but was edited; train the router again with other settings")
    try:
        name, digest = Path(about["state"]["file"]).name, about["state"]["sha256"]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{file} must name the file with what was learnt, but does not ({error!r}); train it again"
        ) from None
    return about, read_state(folder / name, digest)


def encoder_config(encoder: Encoder) -> dict[str, str]:
    """Return the spec and the id of an encoder; a folder by its whole path, so that it is found from anywhere."""
    place = {"folder": str(encoder.folder.resolve())} if encoder.folder else {}
    return {"spec": encoder.resolved_spec, "id": encoder.id, **place}


def rebuild_encoder(
    kept: dict[str, str], state: dict[str, Any], override: str | None, device: str, owner: str = "router"
) -> Encoder:
    """Make the encoder that a router was trained with.

    Args:
        kept: From `encoder_config`.
        state: Fitted state.
        override: Its spec now, where that has changed.
        device: Where it runs.
        owner: Name of its owner in errors.

    Raises:
        UserError: If it is gone, or is not the same.
    """
    folder = kept.get("folder")
    if folder is None and kept["id"].startswith("folder:"):  # saved before the key was written
        folder = kept["spec"]
    if folder and not override and not Path(folder).is_dir():
        raise UserError(
            f"the {owner}'s encoder must be at {folder}, but that folder is gone; name its new place as encoder"
        )
    encoder = find_encoder(override or kept["spec"], device)
    if state:
        encoder.set_state(state)
    if encoder.id == kept["id"]:
        return encoder
    if isinstance(encoder, PretrainedEncoder) and "@" in kept["id"]:
        warnings.warn(
            f"whether {encoder.spec} is {kept['id']}, which the {owner} learnt from, cannot be checked", stacklevel=4
        )
        return encoder
    raise UserError(
        f"the {owner} learnt from vectors of {kept['id']}, but {encoder.spec} gives {encoder.id}; name the same encoder"
    )
