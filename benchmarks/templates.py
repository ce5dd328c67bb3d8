"""How long the retrieval of templates takes, and what it finds where an index stands in for exact search.

The vectors are made up: clusters on a sphere, as vectors of texts have. Encoding the query is not part of it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import limit_threads, load_average, machine, run, table, write_json

if TYPE_CHECKING:
    import numpy as np

    from fusion.templates.retrieval import Retriever

TARGET_MS = 5.0
DIMENSIONS, TASKS, CLUSTERS = 384, 14, 500


def options() -> argparse.Namespace:
    """Parse the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    made.add_argument("--templates", type=int, default=100_000, help="searched exactly (default: 100000)")
    made.add_argument("--indexed", type=int, default=200_000, help="searched by an index; 0 for none (default: 200000)")
    made.add_argument("--queries", type=int, default=300, help="one by one (default: 300)")
    made.add_argument("--threads", type=int, default=2, help="of OpenMP and BLAS (default: 2)")
    made.add_argument("--out", type=Path, help="JSON file for all figures")
    return made.parse_args()


def make_vectors(number: int, rng: np.random.Generator) -> np.ndarray:
    """Return [number, 384] float32 of length 1, around 500 centres."""
    import numpy as np

    centres = rng.standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32)
    made = centres[rng.integers(0, CLUSTERS, number)] + rng.standard_normal((number, DIMENSIONS), dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def make_retriever(vectors: np.ndarray, tasks: int) -> Retriever:
    """Return a retriever of one template per vector, in so many tasks of equal size."""
    import numpy as np

    from fusion.templates.retrieval import Retriever

    rows = range(len(vectors))
    return Retriever(
        [f"{row * tasks // len(vectors):03}" for row in rows], vectors, np.arange(len(vectors)), [[row] for row in rows]
    )


def single(retriever: Retriever, queries: np.ndarray, task: str | None) -> tuple[list[float], list[list[int]]]:
    """Return the milliseconds of each query, asked one by one, and what was found."""
    import numpy as np

    milliseconds, found = [], []
    none = np.array([-1])
    retriever.search(queries[:1], [task], 3, none)  # an index is built by the first search
    for query in queries:
        started = time.perf_counter()
        found += retriever.search(query[None], [task], 3, none)
        milliseconds.append((time.perf_counter() - started) * 1000)
    return milliseconds, found


def exact(args: argparse.Namespace, rng: np.random.Generator) -> dict[str, list[float]]:
    """Measure exact search over all templates, in one task and in many."""
    vectors = make_vectors(args.templates + args.queries, rng)
    queries, vectors = vectors[: args.queries], vectors[args.queries :]
    one, many = make_retriever(vectors, 1), make_retriever(vectors, TASKS)
    return {
        f"{args.templates:,} templates of one task, task known": single(one, queries, "000")[0],
        f"{args.templates:,} templates of {TASKS} tasks, task known": single(many, queries, "000")[0],
        f"{args.templates:,} templates of {TASKS} tasks, task inferred": single(many, queries, None)[0],
    }


def indexed(args: argparse.Namespace, rng: np.random.Generator) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Measure the index, and the share of the three nearest that it finds."""
    import numpy as np

    vectors = make_vectors(args.indexed + args.queries, rng)
    queries, vectors = vectors[: args.queries], vectors[args.queries :]
    retriever = make_retriever(vectors, 1)
    started = time.perf_counter()
    retriever.search(queries[:1], ["000"], 3, np.array([-1]))
    build_s = time.perf_counter() - started
    milliseconds, found = single(retriever, queries, "000")
    nearest = np.argsort(-(queries @ vectors.T), axis=1)[:, :3].tolist()
    hits = [len(set(some) & set(right)) / 3 for some, right in zip(found, nearest, strict=True)]
    name = f"{args.indexed:,} templates of one task, by an index"
    return {name: milliseconds}, {"build_seconds": build_s, "found_of_nearest_3": sum(hits) / len(hits)}


def main() -> None:
    """Measure and print."""
    args = options()
    limit_threads(args.threads)
    import numpy as np

    about = machine(args.threads)
    figures = exact(args, np.random.default_rng(0))
    index: dict[str, Any] = {}
    if args.indexed:
        more, index = indexed(args, np.random.default_rng(1))
        figures |= more
    rows = []
    for name, times in figures.items():
        median, late = np.percentile(times, [50, 95])
        rows.append((name, f"{TARGET_MS:g}", f"{median:.2f}", f"{late:.2f}", "yes" if median <= TARGET_MS else "no"))
    print(table(("milliseconds of a single query, top 3", "target", "median", "95%", "met"), rows))
    if index:
        print(
            f"the index was built in {index['build_seconds']:.1f} s and finds {index['found_of_nearest_3']:.3f} of the 3 nearest"
        )
    print(
        f"{args.threads} threads on {about['cores']} cores; load average {about['load_average']} before, {load_average()} after"
    )
    write_json(args.out, {**about, "milliseconds": figures, "index": index})


if __name__ == "__main__":
    run(main)
