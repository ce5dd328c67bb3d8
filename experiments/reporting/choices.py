"""The section on which LLMs are picked."""

from __future__ import annotations

from html import escape

import numpy as np

from experiments.reporting.figure import Figure
from experiments.reporting.panels import Configuration, Panel
from experiments.reporting.shared import share_table

Array = np.ndarray

MOST_ROWS = 12


def share_section(panel: Panel) -> Figure:
    """Return the shares of test queries that go to each LLM, by scenario."""
    title = "Which LLM is picked"
    shown = panel.shown(MOST_ROWS, lambda one: any(run.shares for run in one.runs))
    if not shown:
        return Figure(title, "No run has shares of LLMs.")
    llms = list(
        dict.fromkeys(llm for one in shown for run in one.runs for share in run.shares.values() for llm in share)
    )
    parts, data, says = [], [], ""
    for number, scenario in enumerate(panel.scenarios):
        shares = {
            one.label: _share(one, scenario, llms) for one in shown if any(scenario in run.shares for run in one.runs)
        }
        if not shares:
            continue
        says = says or _says(shares, llms, scenario, panel)
        ours = {one.label for one in shown if one.base}
        body = share_table(llms, shares, "configuration", lambda name, ours=ours: "ours" if name in ours else "")  # type: ignore[misc]
        opened = " open" if number == 0 else ""
        parts.append(f"<details{opened}><summary>{escape(scenario)}</summary>{body}</details>")
        data += [
            [scenario, label, llm, float(part)]
            for label, share in shares.items()
            for llm, part in zip(llms, share, strict=True)
        ]
    return Figure(title, says, "".join(parts), ["scenario", "configuration", "LLM", "share of test queries"], data)


def _share(one: Configuration, scenario: str, llms: list[str]) -> Array:
    """[M], the mean over runs."""
    known = [run.shares[scenario] for run in one.runs if scenario in run.shares]
    return np.asarray(np.mean([[share.get(llm, 0.0) for llm in llms] for share in known], axis=0))


def _says(shares: dict[str, Array], llms: list[str], scenario: str, panel: Panel) -> str:
    """Say how far the first spreads its choices, and which is nearest to a single LLM."""
    label, share = next(iter(shares.items()))
    first = int(share.argmax())
    says = (
        f"In {escape(scenario)}, <b>{escape(label)}</b> sends most to {escape(llms[first])} ({share[first]:.0%}) and spreads "
        f"the queries as over {_effective(share):.1f} LLMs of {len(llms)} (the exponential of the entropy)."
    )
    least = min(shares, key=lambda name: _effective(shares[name]))
    if least != label:
        says += f" {escape(least)} is nearest to a single LLM: {_effective(shares[least]):.1f}."
    return says


def _effective(share: Array) -> float:
    positive = share[share > 0]
    return float(np.exp(-(positive * np.log(positive)).sum()))
