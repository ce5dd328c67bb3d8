"""The HTML around a report: style, tables, numbers. Nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import numpy as np

from graphrouter.metrics import METRICS

STYLE = (
    """
:root{color-scheme:light dark;--bg:#fff;--ink:#1c1e21;--dim:#5d646d;--line:#d8dce1;--grid:#eceef1;--soft:#f5f6f8;
--mark:#0b57d0;--good:#137333;--bad:#b3261e;--warn-bg:#fff4d6;--warn:#6b4e00;--rest:#9aa2ac;
--s0:#d55e00;--s1:#e69f00;--s2:#009e73;--s3:#cc79a7;--s4:#8a6fd1;--s5:#4aa3d9;--s6:#a3982a;--s7:#8c5a2b}
@media(prefers-color-scheme:dark){:root{--bg:#15181c;--ink:#e6e8eb;--dim:#a2aab4;--line:#363c44;--grid:#262b31;
--soft:#1d2126;--mark:#8ab4f8;--good:#81c995;--bad:#f28b82;--warn-bg:#3a2f0b;--warn:#fdd663;--rest:#6d7681;
--s0:#f0803c;--s1:#f2b134;--s2:#3cc49a;--s3:#e39bc4;--s4:#b39ff0;--s5:#8fd0f5;--s6:#d3c652;--s7:#c49a6c}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1240px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:26px;line-height:1.25;margin:8px 0 4px;overflow-wrap:anywhere}h2{font-size:20px;margin:38px 0 6px}
h3{font-size:16px;margin:22px 0 4px}p{margin:6px 0 10px;max-width:74ch}.dim,.note{color:var(--dim)}.note{font-size:13px}
.banner{background:var(--warn-bg);color:var(--warn);padding:10px 14px;border-radius:6px;font-weight:600;margin:12px 0}
dl{display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:3px 16px;margin:10px 0}dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:8px 0 4px;border:1px solid var(--line);border-radius:6px}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;text-align:right;white-space:nowrap;border-top:1px solid var(--line)}
tr:first-child th{border-top:0}thead th{background:var(--soft);font-weight:600;vertical-align:bottom;white-space:normal;min-width:62px}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--bg);z-index:1}
thead th:first-child{background:var(--soft)}tr.ours td,tr.ours td:first-child{background:var(--soft)}
tr.ours td:first-child{box-shadow:inset 3px 0 var(--mark);font-weight:600}
tr.aside td{color:var(--dim)}td.best{font-weight:700;text-decoration:underline;text-underline-offset:3px}
td small{color:var(--dim);font-size:12px}.good{color:var(--good)}.bad{color:var(--bad)}
svg{display:block;max-width:100%}svg.bar{max-width:none;margin-left:auto}wbr{display:none}svg text{fill:var(--ink);font-size:11.5px;font-family:inherit}
svg .tick,svg .axis{fill:var(--dim)}svg .label{font-size:11px;paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}svg path,svg circle{fill:none;stroke-width:1.6}
svg .grid{stroke:var(--grid);stroke-width:1}svg .guide{stroke:var(--dim);stroke-dasharray:4 4;stroke-width:1.2}
svg .rest{stroke:var(--rest);stroke-width:1}svg .rest.fill{fill:var(--rest);stroke:none}
svg .hull{stroke:var(--dim);stroke-dasharray:5 4}svg .llm.fill{fill:var(--dim);stroke:var(--bg);stroke-width:1}
svg .ours{stroke:var(--mark);stroke-width:2.6}svg .ours.fill{fill:var(--mark);stroke:var(--bg);stroke-width:1}
svg .soft.fill{fill-opacity:.55}
"""
    + "".join(
        f"svg .s{n}{{stroke:var(--s{n});stroke-width:1.8}}svg .s{n}.fill{{fill:var(--s{n});stroke:none}}"
        f"svg rect.s{n}{{fill:var(--s{n});stroke:none}}.key.s{n}{{background:var(--s{n})}}\n"
        for n in range(8)
    )
    + """
svg rect.other,.key.other{fill:var(--rest);background:var(--rest);stroke:none}.key.ours{background:var(--mark)}
.key.rest{background:var(--rest)}.key.hull{background:none;border-top:2px dashed var(--dim);height:0}
.key.llm{background:var(--dim);border-radius:50%;width:9px;height:9px}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;margin:8px 0}
.legend span{display:inline-flex;align-items:center;gap:6px;overflow-wrap:anywhere}
.key{display:inline-block;width:14px;height:9px;border-radius:2px;flex:none}
.multiples{display:flex;flex-wrap:wrap;gap:10px 26px}.multiples figure{margin:0}figcaption{font-size:13px}
.narrow{display:none}td.wide-bar{min-width:260px;width:70%}.finding li{margin:3px 0}.finding small{white-space:nowrap;color:var(--dim)}
details summary{cursor:pointer;color:var(--mark);margin:8px 0}
@media(max-width:640px){wbr{display:inline}main{padding:12px 12px 40px}h1{font-size:22px}.wide{display:none}.narrow{display:block}
th,td{padding:5px 7px}td.wide-bar{min-width:190px}th:first-child,td:first-child{white-space:normal}dl{grid-template-columns:1fr}dt{margin-top:6px}}
"""
)


def page(title: str, body: str, style: str = "", head: str = "") -> str:
    """Return a whole page.

    Args:
        title: Of the window.
        body: HTML.
        style: CSS beyond that of every page.
        head: HTML for the head.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title>{head}<style>{STYLE}{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return a table that scrolls within itself where the page is narrow.

    Args:
        head: Column titles, as text.
        rows: CSS class of the row, and its cells as whole ``<td>`` elements.
    """
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(f'<tr class="{style}">{"".join(cells)}</tr>\n' for style, cells in rows)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>\n{lines}</tbody></table></div>'


def cell(content: str, style: str = "") -> str:
    """Return a cell of HTML."""
    return f'<td class="{style}">{content}</td>' if style else f"<td>{content}</td>"


def text(content: object) -> str:
    """Return a cell of text."""
    return cell(escape(str(content)))


def name_cell(name: str) -> str:
    """Return a cell of a name, which may be broken after its signs where the page is narrow."""
    return cell(re.sub(r"([_\-./ ])(?=.)", r"\1<wbr>", escape(name)))


def definitions(pairs: Sequence[tuple[str, str]]) -> str:
    """Return a list of terms and texts."""
    return "<dl>" + "".join(f"<dt>{escape(term)}</dt><dd>{escape(value)}</dd>" for term, value in pairs) + "</dl>"


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return keys and names.

    Args:
        entries: CSS class and name.
    """
    keys = (f'<span><i class="key {style}"></i>{escape(name)}</span>' for style, name in entries)
    return f'<div class="legend">{"".join(keys)}</div>'


def number(value: float | None, metric: str = "") -> str:
    """Return a value as text, as its metric is read."""
    if value is None or not np.isfinite(value):
        return "–"
    if metric == "cost":
        return dollars(value)
    if metric in METRICS and METRICS[metric].percent:
        return f"{value:.1%}".replace("-", "−")
    return f"{value:.4f}".replace("-", "−")


def dollars(value: float) -> str:
    """Return a mean cost per query as US dollars per 1,000 queries, to three significant digits."""
    thousand = value * 1000
    if thousand == 0:
        return "0"
    digits = max(0, 2 - int(np.floor(np.log10(abs(thousand)))))
    return f"{thousand:,.{digits}f}".replace("-", "−")


def signed(value: float, metric: str = "") -> str:
    """Return a difference as text, with its sign."""
    return ("+" if value >= 0 else "") + number(value, metric)
