"""Short views of objects, for a terminal and for a notebook: a title and a few facts, never the tables themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from graphrouter.errors import cut, printable

MOST_NAMES = 6
LONGEST = 100  # characters of a fact, so that a view stays a few lines


class Displayed:
    """Mixin of what is shown by `facts`, in ``repr`` and in a notebook."""

    def facts(self) -> tuple[str, Mapping[str, object]]:
        """Return a title, and what is worth knowing by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        title, facts = self.facts()
        return "\n".join([title, *(f"  {name}: {cut(printable(str(fact)), LONGEST)}" for name, fact in facts.items())])

    def _repr_html_(self) -> str:
        title, facts = self.facts()
        rows = (
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(cut(str(fact), LONGEST))}</td></tr>"
            for name, fact in facts.items()
        )
        return f"<strong>{escape(title)}</strong><table>{''.join(rows)}</table>"


def listed(names: Sequence[str]) -> str:
    """Return how many names there are, and the first few."""
    more = ", ..." if len(names) > MOST_NAMES else ""
    return f"{len(names):,} ({', '.join(names[:MOST_NAMES])}{more})" if names else "0"
