"""How good the response is, in truth, that a ranking puts first, when all it sees is one draw of each cell.

The truth is known where a log has several draws per cell, or where its performance is a share of several samples. A
draw is taken from every cell; the rankings see that draw and nothing else; what they put on top is scored by the true
share. Every method leaves a query's fold out of all that it learns.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common import limit_threads, machine, run, table, write_json

from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.typing import Array

if TYPE_CHECKING:
    from fusion.ranking.crossfit import Prior
    from graphrouter.dataset import RoutingData

METHODS = ("drawn score alone", "kNN", "task mean, draw unseen", "task mean", "GNN", "graph", "truth")
RESAMPLES = 2000
TOPS = (1, 3)


@dataclass(frozen=True)
class Job:
    """What one draw is computed from; two jobs that agree give the same result."""

    log: str
    tasks: tuple[str, ...]
    encoder: str
    folds: int
    gnn: str
    draw: int


def options() -> argparse.Namespace:
    """Parse the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    made.add_argument("log", metavar="LOG", help="folder of a log with several draws, or with shares of samples")
    made.add_argument("--tasks", help="only these tasks are in the log that is ranked, A,B (default: all)")
    made.add_argument("--score", help="only these tasks are scored, A,B (default: those that are ranked)")
    made.add_argument("--encoder", help="as in graphrouter train (default: MiniLM, and tfidf for a simulated log)")
    made.add_argument("--draws", type=int, default=20, help="with shares: how many draws (default: 20)")
    made.add_argument("--first", type=int, default=0, help="number of the first draw (default: 0)")
    made.add_argument("--folds", type=int, default=10, help="(default: 10)")
    made.add_argument("--members", type=int, default=4, help="of the GNN's ensemble (default: 4)")
    made.add_argument("--steps", type=int, default=600, help="of the GNN, at most (default: 600)")
    made.add_argument("--jobs", type=int, default=4, help="processes (default: 4)")
    made.add_argument("--work", type=Path, required=True, help="folder for finished draws; a killed run goes on there")
    made.add_argument("--out", type=Path, help="JSON file for all figures")
    return made.parse_args()


def compute(job: Job, folder: str) -> str:
    """Rank one draw by every method, and write what they put on top; returns the file.

    What takes long, the priors, has a file of its own: without the file of tops, only the posteriors are made anew.
    """
    from fusion.ranking.graph import domains_of, posterior_of
    from graphrouter.prepared import prepare, undivided

    name = hashlib.sha256(json.dumps(asdict(job)).encode()).hexdigest()[:20]
    file = Path(folder) / f"tops-{name}.npz"
    if file.exists():
        return str(file)
    log = of_tasks(LLMLog.load(job.log), job.tasks)
    seen, truth = draw_once(log, job.draw)
    data = replace(
        prepare(log, job.encoder, split=undivided, device="cpu").data,
        performance=seen,
        draws=(~np.isnan(seen)).astype(np.float32),
    )
    prior, near = priors(job, data, Path(folder) / f"priors-{name}.npz")
    graph = posterior_of(data, prior, domains_of(log), job.draw)
    scores = (np.zeros(seen.shape), near, prior.task_mean, prior.task_mean, prior.quality, graph, truth)
    tops = []
    for method, score in zip(METHODS, scores, strict=True):
        order = ordered(seen, score, job.draw, by_draw=method not in ("task mean, draw unseen", "truth"))
        ranked = np.take_along_axis(truth, order, axis=1)
        tops.append([np.nanmean(ranked[:, :top], axis=1) for top in TOPS])
    save(file, tops=np.array(tops), right=np.nanmax(seen, axis=1) >= 0.5)
    return str(file)


def priors(job: Job, data: RoutingData, file: Path) -> tuple[Prior, Array]:
    """Return what the GNN and the tasks' means expect, and what kNN does, each without a query's fold."""
    from fusion.ranking.crossfit import Prior, cross_fit
    from graphrouter.routers.knn import KNN

    if file.exists():
        kept = dict(np.load(file))
        near = kept.pop("near")
        return Prior(**kept), near
    prior = cross_fit(data, job.folds, job.draw, json.loads(job.gnn), "cpu")
    near = np.empty(data.performance.shape)
    for part in range(job.folds):
        own, rest = np.flatnonzero(prior.fold == part), np.flatnonzero(prior.fold != part)
        near[own] = KNN().fit(data.take(rest), data.take(own)).predict(data.queries.take(own)).quality
    save(file, near=near, **{name: getattr(prior, name) for name in ("fold", "task_mean", "quality", "spread")})
    return prior, near


def save(file: Path, **arrays: Array) -> None:
    """Write arrays, the file whole or not at all."""
    draft = file.with_name(f".{file.name}")
    np.savez(draft, **arrays)
    draft.replace(file)


def of_tasks(log: LLMLog, tasks: Sequence[str]) -> LLMLog:
    """Return the log of these tasks only; of all where none is named."""
    if not tasks:
        return log
    unknown = set(tasks) - set(log.tasks)
    if unknown:
        raise UserError(f"{log.name} must have the tasks asked for, but not {sorted(unknown)}")
    return log.take(np.isin(log.queries["task"].to_numpy(), list(tasks)))


def draw_once(log: LLMLog, draw: int) -> tuple[Array, Array]:
    """Return what is seen and what is true [Q, M]: one draw and the mean of the others, or a sample from the share."""
    share = log.cells("performance").astype(np.float64)
    if log.records["draw"].n_unique() == 1:
        random = np.random.default_rng([draw, 1])
        return np.where(np.isnan(share), np.nan, random.random(share.shape) < share).astype(np.float32), share
    one = replace(log, records=log.records.filter(draw=draw)).cells("performance")
    count = log.cells("draws")
    others = np.where(count > 1, (share * count - one) / np.maximum(count - 1, 1), np.nan)
    return one, others


def ordered(seen: Array, score: Array, draw: int, *, by_draw: bool) -> Array:
    """Return the LLMs [Q, M] from first to last: right before wrong where the draw counts, then by score, then by chance."""
    chance = np.random.default_rng([draw, 2]).random(seen.shape)
    best = np.nanmax(seen, axis=1, keepdims=True)
    wrong = (np.nan_to_num(seen, nan=-1.0) < best / 2) if by_draw else np.isnan(seen)
    return np.lexsort((chance, -score, wrong, np.isnan(seen)), axis=1)


def summarise(files: list[str], scored: Array, groups: Array) -> dict[str, Any]:
    """Return per top and method the mean true share where a drawn response is right, and the gap of graph to it.

    The intervals resample queries; all draws of a query go together.
    """
    kept = [np.load(file) for file in files]
    right = np.stack([one["right"] for one in kept])[:, scored].astype(float)
    tops = np.stack([one["tops"] for one in kept])[..., scored]
    total = np.nansum(tops * right[:, None, None], axis=0)
    _, position = np.unique(groups[scored], return_inverse=True)
    random = np.random.default_rng(0)
    size = position.max() + 1
    weights = np.stack([np.bincount(random.integers(size, size=size), minlength=size) for _ in range(RESAMPLES)])
    weights = weights[:, position].astype(float)
    count = right.sum(axis=0)
    means = total.sum(axis=2) / count.sum()
    resampled = np.einsum("bq,mtq->bmt", weights, total) / (weights @ count)[:, None, None]
    gaps = resampled[:, [METHODS.index("graph")]] - resampled
    result: dict[str, Any] = {"queries": int(scored.sum()), "share_with_a_right_draw": float(right.mean())}
    for place, top in enumerate(TOPS):
        result[f"top {top}"] = {
            method: {
                "share": float(means[m, place]),
                "graph_minus_this": float(means[METHODS.index("graph"), place] - means[m, place]),
                "interval": [float(x) for x in np.percentile(gaps[:, m, place], [2.5, 97.5])],
            }
            for m, method in enumerate(METHODS)
        }
    return result


def show(name: str, result: dict[str, Any]) -> None:
    """Print the table of a set of tasks."""
    print(
        f"\n{name}: {result['queries']:,} queries; a drawn response is right on {result['share_with_a_right_draw']:.1%}"
    )
    rows = []
    for method in METHODS:
        cells = [method]
        for top in TOPS:
            one = result[f"top {top}"][method]
            low, high = one["interval"]
            gap = "" if method == "graph" else f"{one['graph_minus_this']:+.4f} [{low:+.4f}, {high:+.4f}]"
            cells += [f"{one['share']:.4f}", gap]
        rows.append(cells)
    print(table(("rank by", "top 1", "graph minus this", "top 3", "graph minus this"), rows))


def main() -> None:
    """Compute what is not there yet, and print."""
    args = options()
    limit_threads(1)
    from tqdm import tqdm

    from graphrouter.encoders import default_encoder
    from graphrouter.splits import query_groups

    log = LLMLog.load(args.log)
    tasks = tuple(sorted(args.tasks.split(","))) if args.tasks else ()
    known = of_tasks(log, tasks)
    draws = sorted(log.records["draw"].unique()) if log.records["draw"].n_unique() > 1 else range(args.draws)
    gnn = json.dumps({"members": args.members, "steps": args.steps})
    encoder = args.encoder or default_encoder(log)
    jobs = [Job(args.log, tasks, encoder, args.folds, gnn, args.first + draw) for draw in draws]
    args.work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(compute, job, str(args.work)) for job in jobs]
        files = sorted(one.result() for one in tqdm(as_completed(waiting), total=len(jobs), desc="draws"))
    task_of = known.queries["task"].to_numpy()
    wanted = args.score.split(",") if args.score else list(known.tasks)
    groups = query_groups(known.queries["query"])
    result = {"all scored": summarise(files, np.isin(task_of, wanted), groups)}
    if len(wanted) <= 4:
        result |= {task: summarise(files, task_of == task, groups) for task in wanted}
    for name, one in result.items():
        show(name, one)
    write_json(args.out, {**machine(1), "draws": len(jobs), "gnn": gnn, "folds": args.folds, "results": result})


if __name__ == "__main__":
    run(main)
