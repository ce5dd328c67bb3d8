"""Routers from outside the package: a class in a file, in a module that can be imported, or an entry point."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import sys
import traceback
from collections.abc import Collection
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

from graphrouter.errors import UserError, first_line, suggest

if TYPE_CHECKING:
    from graphrouter.routers.base import Router

GROUP = "graphrouter.routers"
"""Group of the entry points by which an installed package brings routers; each is named as its router is."""

FORM = "FILE.py:CLASS or PACKAGE.MODULE:CLASS"

_loaded: dict[str, type[Router]] = {}


def loaded_routers() -> dict[str, type[Router]]:
    """Return the routers from outside that this process has loaded, by name."""
    return _loaded


@cache
def installed_routers() -> dict[str, metadata.EntryPoint]:
    """Return the entry points of installed packages that bring routers, by name."""
    return {one.name: one for one in metadata.entry_points(group=GROUP)}


def load_router(reference: str, taken: Collection[str] = ()) -> type[Router]:
    """Import a router, which is then known by its name too.

    Args:
        reference: ``FILE.py:CLASS``, ``PACKAGE.MODULE:CLASS``, or the name of an entry point.
        taken: Names that it must not have.

    Raises:
        UserError: If there is no such file, module or class, its import fails, or the class is no router.
    """
    if reference in installed_routers():
        place = installed_routers()[reference].value
        brought = load_router(place, taken)
        if brought.name != reference:
            raise UserError(
                f"the entry point {reference!r} ({place}) must be named as its router is, but that is {brought.name!r}; "
                "rename one"
            )
        return brought
    place, _, name = reference.rpartition(":")
    if not place or not name.isidentifier():
        raise UserError(f"a router of your own must be {FORM}, but is {reference!r}")
    module = _import_file(Path(place)) if place.endswith(".py") else _import(place, place)
    kind = _checked(getattr(module, name, None), name, place, module)
    if kind.name in taken or _loaded.setdefault(kind.name, kind) is not kind:
        raise UserError(
            f"{place}: {name} is named {kind.name!r}, as another router is; give it a name = ... of its own"
        )
    return kind


def reference_of(kind: type[Router]) -> str:
    """Return the reference by which `load_router` finds a class: the path of its file and its name, or its name."""
    if kind.__module__.startswith("graphrouter.") or kind.name in installed_routers():
        return kind.name
    file = inspect.getsourcefile(kind)
    return f"{Path(file).resolve()}:{kind.__name__}" if file else f"{kind.__module__}:{kind.__name__}"


def code_of(kind: type[Router]) -> str:
    """Return the SHA-256 of the file of a router from outside; empty for those of the package, whose version says it."""
    file = Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")
    if kind.__module__.startswith("graphrouter.") or not file.is_file():
        return ""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _import_file(file: Path) -> Any:
    """Import a file as a script's neighbours are: by its name, its folder in the search path, so that workers find it too."""
    if not file.is_file():
        raise UserError(f"a router of your own must be in a file, but there is no {file}; see {FORM}")
    folder, name = str(file.resolve().parent), file.stem
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec = find_spec(name)
    except ValueError:  # a module that runs as a script has no spec
        spec = None
    if spec is None or spec.origin is None or Path(spec.origin).resolve() != file.resolve():
        raise UserError(f"{file} must not be called as another module is, but {name!r} is one; rename the file")
    return _import(name, str(file))


def _import(module: str, shown: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UserError(f"a router of your own must be {FORM}, but there is no module {error.name!r}") from None
        raise UserError(_failed(shown, error)) from None
    except Exception as error:
        raise UserError(_failed(shown, error)) from None


def _failed(shown: str, error: Exception) -> str:
    """Return where and why an import failed, in one line."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).name == Path(shown).name]
        where = f"{(own or frames)[-1].filename}, line {(own or frames)[-1].lineno}"
    return f"{shown} must be free of errors, but {where}: {type(error).__name__}: {first_line(error)}"


def _checked(kind: Any, name: str, place: str, module: Any) -> type[Router]:
    """Return a class that is a router and can be made.

    Raises:
        UserError: With what is amiss.
    """
    from graphrouter.routers.base import Router

    if kind is None:
        own = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        ]
        raise UserError(f"{place} has no class {name!r}{suggest(name, own)}")
    if not isinstance(kind, type) or not issubclass(kind, Router):
        raise UserError(f"{place}: {name} must be a class derived from graphrouter.Router, but is not")
    if missing := sorted(kind.__abstractmethods__):
        raise UserError(f"{place}: {name} must define {' and '.join(missing)}, but does not")
    fields = {field.name for field in dataclasses.fields(kind)}
    bare = [key for key, hint in inspect.get_annotations(kind).items() if key not in fields and not _is_class_var(hint)]
    if bare:
        raise UserError(
            f"{place}: {name} must be a dataclass, or its {bare[0]!r} is no setting; put @dataclass(eq=False) above it"
        )
    return kind


def _is_class_var(hint: Any) -> bool:
    return "ClassVar" in hint if isinstance(hint, str) else get_origin(hint) is ClassVar or hint is ClassVar
