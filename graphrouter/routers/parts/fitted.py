"""Base of the parts that routers are made of: they save all that they hold."""

from __future__ import annotations

from typing import Any, ClassVar, Self


class Fitted:
    """A part with ``get_state`` and ``from_state``; its attributes are arrays, numbers, text, lists of these, or parts.

    Attributes:
        nested: Classes of the attributes that are parts, or lists of parts.
    """

    nested: ClassVar[dict[str, type[Fitted]]] = {}

    def get_state(self) -> dict[str, Any]:
        """Return the fitted values."""
        return {name: _state(value) for name, value in vars(self).items()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild from `get_state`."""
        made = object.__new__(cls)
        for name, value in state.items():
            if name in cls.nested and value is not None:
                kind = cls.nested[name]
                value = [kind.from_state(one) for one in value] if isinstance(value, list) else kind.from_state(value)
            setattr(made, name, value)
        return made


def _state(value: Any) -> Any:
    if isinstance(value, list):
        return [_state(one) for one in value]
    return value.get_state() if isinstance(value, Fitted) else value
