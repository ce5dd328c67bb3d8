"""The radar figure of FusionFactory (arXiv:2507.10540): performance per domain, as one SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import polars as pl

from fusion.evaluation.thought import ThoughtLevel

AXES = 3
"""A radar needs so many domains, or it is a line."""

HEIGHT = 310.0
"""Of a panel."""
RADIUS = 105.0
LETTER = 7.0
"""Width of a letter, about."""
COLUMNS = 3
ROW = 18.0
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#8a6fd1", "#e69f00", "#4aa3d9", "#8c5a2b")
"""Of the guides, after Okabe and Ito; told apart by most who see few colours."""

STYLE = (
    "svg.radar{background:#fff}.radar text{font:12px system-ui,sans-serif;fill:#1c1e21}.radar .name{font-weight:600}"
    ".radar .tick{fill:#5d646d;font-size:10px}.radar path{fill:none;stroke-width:2}"
    ".radar .grid{stroke:#d8dce1;stroke-width:1}"
)


def radar(level: ThoughtLevel) -> str | None:
    """Draw a panel for each LLM, with an axis for each domain and a line for each guide; zero-shot is dashed.

    Returns:
        The SVG, or None where there are fewer than three domains.
    """
    if len(level.domains) < AXES:
        return None
    llms = level.table["llm"].unique(maintain_order=True).to_list()
    guides = level.table["guide"].unique(maintain_order=True).to_list()
    top = _scale(level)
    columns = min(COLUMNS, len(llms))
    longest = max(len(domain) for domain in level.domains)
    wide = 2 * (1.15 * RADIUS + LETTER * longest) + 12
    panels = []
    for number, llm in enumerate(llms):
        x, y = (number % columns + 0.5) * wide, (number // columns + 0.5) * HEIGHT + 12
        panels.append(f'<g transform="translate({x:g} {y:g})">{_panel(level, llm, guides, top)}</g>')
    width, begin = columns * wide, math.ceil(len(llms) / columns) * HEIGHT + 12
    keys, lines = _legend(guides, width, begin)
    label = f"Performance per domain of {', '.join(llms)}, zero-shot and with {len(guides) - 1} guides"
    body = f"<style>{STYLE}</style>{''.join(panels)}{keys}"
    drawn = svg(width, begin + lines * ROW + 8, body, label, "radar")
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def _scale(level: ThoughtLevel) -> float:
    """Return the highest performance of any domain, rounded up to a fifth of a scale that reads well."""
    highest = level.table.filter(pl.col("domain").is_not_null())["performance"].fill_nan(None).max()
    step = 0.05
    return max(step, math.ceil(float(highest or 0) / step - 1e-9) * step)  # type: ignore[arg-type]


def _panel(level: ThoughtLevel, llm: str, guides: Sequence[str | None], top: float) -> str:
    parts = [f'<text class="name" y="{4 - HEIGHT / 2:g}" text-anchor="middle">{escape(llm)}</text>']
    for ring in (0.25, 0.5, 0.75, 1):
        parts.append(f'<path class="grid" d="{_closed([ring] * len(level.domains))}"/>')
        parts.append(f'<text class="tick" x="3" y="{-ring * RADIUS - 2:.1f}">{ring * top:.2f}</text>')
    for number, domain in enumerate(level.domains):
        x, y = _point(number, len(level.domains), 1)
        parts.append(f'<path class="grid" d="M0 0L{x:.1f} {y:.1f}"/>')
        parts.append(_axis_name(domain, *_point(number, len(level.domains), 1.15)))
    for guide in guides:
        same = (pl.col("llm") == llm) & pl.col("guide").eq_missing(guide) & pl.col("domain").is_not_null()
        values = dict(level.table.filter(same).select("domain", "performance").iter_rows())
        if values:
            parts.append(_line(guide, guides, [values[domain] for domain in level.domains], level.domains, top))
    return "".join(parts)


def _axis_name(domain: str, x: float, y: float) -> str:
    anchor = "middle" if abs(x) < 8 else ("start" if x > 0 else "end")
    lift = -2 if y < -RADIUS else 4  # above the topmost tick, and beside all others
    return f'<text x="{x:.1f}" y="{y + lift:.1f}" text-anchor="{anchor}">{escape(domain)}</text>'


def _line(
    guide: str | None, guides: Sequence[str | None], values: Sequence[float], domains: Sequence[str], top: float
) -> str:
    """Draw one way of asking; a domain without a value stands at the centre."""
    shares = [0.0 if math.isnan(value) else value / top for value in values]
    pairs = ", ".join(f"{domain} {value:.3f}" for domain, value in zip(domains, values, strict=True))
    title = escape(f"{guide or 'zero-shot'}: {pairs}")
    return f'<path {_look(guide, guides)} d="{_closed(shares)}"><title>{title}</title></path>'


def _look(guide: str | None, guides: Sequence[str | None]) -> str:
    if guide is None:
        return 'stroke="#5d646d" stroke-dasharray="5 4"'
    named = [name for name in guides if name is not None]
    number = named.index(guide)
    dashes = "" if number < len(COLOURS) else ' stroke-dasharray="2 3"'
    return f'stroke="{COLOURS[number % len(COLOURS)]}"{dashes}'


def _point(number: int, count: int, share: float) -> tuple[float, float]:
    angle = 2 * math.pi * number / count - math.pi / 2
    return share * RADIUS * math.cos(angle), share * RADIUS * math.sin(angle)


def _closed(shares: Sequence[float]) -> str:
    points = (_point(number, len(shares), share) for number, share in enumerate(shares))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _legend(guides: Sequence[str | None], width: float, begin: float) -> tuple[str, int]:
    """Return the keys, in as many columns as their names leave room for, and the number of their lines."""
    names = [guide or "zero-shot" for guide in guides]
    wide = 46 + LETTER * max(map(len, names))
    columns = max(1, int((width - 20) // wide))
    parts = []
    for number, (guide, name) in enumerate(zip(guides, names, strict=True)):
        x, y = 12 + number % columns * wide, begin + number // columns * ROW + 8
        parts.append(f'<path {_look(guide, guides)} d="M{x:g} {y:g}h24"/>')
        parts.append(f'<text x="{x + 30:g}" y="{y + 4:g}">{escape(name)}</text>')
    return "".join(parts), math.ceil(len(names) / columns)


def svg(width: float, height: float, body: str, label: str, style: str = "") -> str:
    """Wrap shapes as one picture with a description for those who do not see it."""
    return (
        f'<svg class="{style}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )
