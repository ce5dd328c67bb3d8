"""Rules that choose among good rows: queries that are worth learning from, the top k, and the budget."""

from __future__ import annotations

import heapq
from collections import Counter

import numpy as np
import polars as pl

from fusion.selection.inputs import SelectionInputs
from fusion.selection.texts import draw
from fusion.selection.tokens import with_tokens

ORDER = ["query_id", "rank", "llm", "draw"]


def not_too_easy(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop queries that all LLMs solve."""
    return rows.filter(pl.col("solved") < inputs.settings.too_easy)


def not_too_hard(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop queries that hardly any LLM solves: their right answers are often guesses, or the ground truth is wrong."""
    return rows.filter(pl.col("solved") >= inputs.settings.hard)


def within_share(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop responses by which an LLM would give more than its share of a task's rows, so that the next best move up.

    A query never loses its last response to that.
    """
    settings = inputs.settings
    room = {task: _room(part, inputs) for (task,), part in rows.partition_by("task", as_dict=True).items()}
    given: Counter[tuple[str, str]] = Counter()
    passed: list[int] = []
    ordered = _best_first(rows.with_row_index("row"))
    queries = ordered.select("query_id", "task", "llm", "row").partition_by("query_id", as_dict=True)
    for query_id in sorted(queries, key=lambda key: draw(settings.seed, *key)):
        taken, over = 0, []
        for _, task, llm, row in queries[query_id].iter_rows():
            if taken == settings.top_k:
                break
            if given[task, llm] < room[task]:
                given[task, llm] += 1
                taken += 1
            else:
                over.append((row, task, llm))
        if not taken:
            _, task, llm = over.pop(0)
            given[task, llm] += 1
        passed += [row for row, *_ in over]
    return rows.with_row_index("row").filter(~pl.col("row").is_in(passed)).drop("row")


def _room(task: pl.DataFrame, inputs: SelectionInputs) -> int:
    """Return the most rows that one LLM may give to a task; never so few that its LLMs together could not fill it."""
    settings = inputs.settings
    total = sum(min(count, settings.top_k) for count in task.group_by("query_id").len()["len"])
    share = max(settings.llm_share, 1 / task["llm"].n_unique())
    return int(np.ceil(share * total))


def _best_first(rows: pl.DataFrame) -> pl.DataFrame:
    """Order the rows of each query: the best draw of each LLM by rank, then second draws."""
    rows = rows.sort(ORDER)
    return rows.with_columns(again=pl.int_range(pl.len()).over("query_id", "llm")).sort("query_id", "again", "rank")


def best(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Keep k responses of each query: the best ranked ones, of different LLMs as far as there are any."""
    kept = _best_first(rows).filter(pl.int_range(pl.len()).over("query_id") < inputs.settings.top_k)
    return kept.drop("again").sort(ORDER)


def fewer_of_easy(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Keep fewer responses the more LLMs solve a query: k times the share that does not, rounded up.

    Without this rule an easy query gets k rows and a hard one as few as it has right responses.
    """
    rows = rows.sort(ORDER)
    most = (inputs.settings.top_k * (1 - pl.col("solved"))).ceil().clip(lower_bound=1)
    return rows.filter(pl.int_range(pl.len()).over("query_id") < most)


def within_budget(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Keep what the budget allows, in equal parts of tasks and, within them, of clusters of queries.

    Of a cluster, the first response of every query comes before a second one, and queries that few LLMs solve before
    others. A row that does not fit any more is passed over.
    """
    settings = inputs.settings
    rows = rows.sort(ORDER)
    if settings.rows is None and settings.tokens is None:
        return rows
    rows = with_tokens(rows, settings.tokenizer) if settings.tokens is not None else rows
    size = rows["tokens"].to_list() if settings.tokens is not None else [1] * rows.height
    left = settings.tokens or settings.rows or 0
    queues = _queues(rows, inputs)
    spent: Counter[tuple[str, ...]] = Counter()
    kept = []
    while queues:
        cell = min(queues, key=lambda cell: (spent[cell[:1]], spent[cell], cell))
        row = heapq.heappop(queues[cell])[-1]
        if not queues[cell]:
            del queues[cell]
        if size[row] <= left:
            left -= size[row]
            spent[cell] += size[row]
            spent[cell[:1]] += size[row]
            kept.append(row)
    return rows[sorted(kept)]


def _queues(rows: pl.DataFrame, inputs: SelectionInputs) -> dict[tuple[str, ...], list[tuple[int, float, str, int]]]:
    """Return, for each task and cluster, its rows in the order in which they are wanted."""
    clusters = cluster(rows, inputs)
    place = rows.select(place=pl.int_range(pl.len()).over("query_id"))["place"]
    queues: dict[tuple[str, ...], list[tuple[int, float, str, int]]] = {}
    columns = zip(rows["task"], rows["query_id"], rows["solved"], place, strict=True)
    for row, (task, query_id, solved, at) in enumerate(columns):
        wanted = (at, solved, draw(inputs.settings.seed, query_id), row)
        queues.setdefault((task, str(clusters[query_id])), []).append(wanted)
    for queue in queues.values():
        heapq.heapify(queue)
    return queues


def cluster(rows: pl.DataFrame, inputs: SelectionInputs) -> dict[str, int]:
    """Group the queries of each task by k-means on their vectors; return the cluster of each query."""
    from sklearn.cluster import KMeans

    found: dict[str, int] = {}
    queries = rows.select("task", "query_id").unique().sort("task", "query_id")
    for part in queries.partition_by("task", maintain_order=True):
        ids = part["query_id"].to_list()
        vectors = inputs.prepared.vectors[0][[inputs.row_of[query_id] for query_id in ids]]
        count = min(inputs.settings.clusters, len(np.unique(vectors, axis=0)))
        labels = KMeans(count, n_init=1, random_state=inputs.settings.seed).fit_predict(vectors)
        found |= dict(zip(ids, labels.tolist(), strict=True))
    return found
