"""The section on which LLMs are picked."""

from __future__ import annotations

import numpy as np

from experiments.reporting.figure import Figure, say
from experiments.reporting.panels import Configuration, Panel
from graphrouter.evaluation.report.page import macro
from graphrouter.evaluation.report.sections.shares import share_table
from graphrouter.typing import Array

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
    for scenario in panel.scenarios:
        shares = {
            one.label: _share(one, scenario, llms) for one in shown if any(scenario in run.shares for run in one.runs)
        }
        if not shares:
            continue
        says = says or _says(shares, llms, scenario)
        ours = {one.label for one in shown if one.base}
        body = share_table(llms, shares, "configuration", lambda name, ours=ours: "ours" if name in ours else "")  # type: ignore[misc]
        parts.append((scenario, body))
        data += [
            [scenario, label, llm, float(part)]
            for label, share in shares.items()
            for llm, part in zip(llms, share, strict=True)
        ]
    return Figure(
        title, says, macro("folds", parts), ["scenario", "configuration", "LLM", "share of test queries"], data
    )


def _share(one: Configuration, scenario: str, llms: list[str]) -> Array:
    """[M], the mean over runs."""
    known = [run.shares[scenario] for run in one.runs if scenario in run.shares]
    return np.asarray(np.mean([[share.get(llm, 0.0) for llm in llms] for share in known], axis=0))


def _says(shares: dict[str, Array], llms: list[str], scenario: str) -> str:
    """Say how far the first spreads its choices, and which is nearest to a single LLM."""
    label, share = next(iter(shares.items()))
    first = int(share.argmax())
    says = say(
        "In {}, <b>{}</b> sends most to {} ({:.0%}) and spreads the queries as over {:.1f} LLMs of {} (the exponential of the "
        "entropy).", scenario, label, llms[first], share[first], _effective(share), len(llms),
    )  # fmt: skip
    least = min(shares, key=lambda name: _effective(shares[name]))
    if least != label:
        says += say(" {} is nearest to a single LLM: {:.1f}.", least, _effective(shares[least]))
    return says


def _effective(share: Array) -> float:
    positive = share[share > 0]
    return float(np.exp(-(positive * np.log(positive)).sum()))
