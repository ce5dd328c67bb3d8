"""A small file or folder in each public layout, for tests of all importers: each must know its own, and no other."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl

Writer = Callable[[Path], Path]


def write_table(file: Path, rows: list[dict[str, object]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def write_lines(file: Path, rows: list[object]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def write_json(file: Path, value: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1), encoding="utf-8")
    return file


def canonical(folder: Path) -> Path:
    folder = folder / "log"
    folder.mkdir(parents=True)
    pl.DataFrame({"query_id": ["a"], "task": ["t"], "query": ["?"]}).write_parquet(folder / "queries.parquet")
    pl.DataFrame({"llm": ["m"]}).write_parquet(folder / "llms.parquet")
    records = pl.DataFrame({"query_id": ["a"], "llm": ["m"], "performance": [1.0]})
    records.write_parquet(folder / "records.parquet")
    return folder


def fusionbench(folder: Path) -> Path:
    row = {"task_name": "gsm8k", "task_id": 0, "query": "1+1?", "ground_truth": "2", "metric": "gsm8k", "llm": "m"}
    row |= {"performance": 1.0, "cost": 3.0, "response": "2", "input_tokens_num": 4}
    return write_table(folder / "train.csv", [row])


def fusionbench_json(folder: Path) -> Path:
    row = {"task_name": "gsm8k", "query": "1+1?", "llm": "m", "performance": 1.0, "llm_description": "small"}
    return write_lines(folder / "train.jsonl", [row])


def router_data(folder: Path) -> Path:
    row = {"task_id": "gsm8k", "query": "1+1?", "query_embedding": "[[0.1 0.2]]", "ground_truth": "2", "metric": "f1"}
    return write_table(folder / "router_data.csv", [row | {"llm": "m", "effect": 1.0, "cost": 0.1}])


def llmrouter(folder: Path) -> Path:
    row = {"task_name": "gsm8k", "query": "1+1?", "ground_truth": "2", "metric": "em", "choices": None, "task_id": "0"}
    return write_lines(folder / "routing_train.jsonl", [row | {"model_name": "m", "response": "2", "performance": 1.0}])


def llmrouterbench(folder: Path) -> Path:
    record = {
        "index": 1,
        "origin_query": "1+1?",
        "prompt": "Q: 1+1?",
        "prediction": "2",
        "ground_truth": "2",
        "score": 1.0,
    }
    content = {"performance": 1.0, "counts": 1, "records": [record | {"prompt_tokens": 5, "raw_output": "2"}]}
    write_json(folder / "results/bench/aime/test/m/aime-test-m-20250101_120000.json", content)
    return folder


def routerbench(folder: Path) -> Path:
    row = {
        "sample_id": "mbpp.dev.1",
        "prompt": "['Write it.']",
        "eval_name": "mbpp",
        "m": 1.0,
        "m|model_response": "['x']",
    }
    return write_table(
        folder / "routerbench_0shot.csv", [row | {"m|total_cost": 1e-4, "oracle_model_to_route_to": "m"}]
    )


def routerbench_raw(folder: Path) -> Path:
    row = {"sample_id": "mbpp.dev.1", "prompt": "['Write it.']", "eval_name": "mbpp", "model_name": "m"}
    return write_table(folder / "routerbench_raw.csv", [row | {"performance": 1.0, "model_response": "['x']"}])


def routellm_gsm8k(folder: Path) -> Path:
    row = {"prompt": "1+1?", "weak": "True", "strong": "False", "weak_response": "2", "strong_response": "3"}
    return write_table(folder / "gsm8k_responses.csv", [row])


def routellm_mmlu(folder: Path) -> Path:
    return write_table(folder / "mmlu_virology.csv", [{"prompt": "Which?\nA. a", "weak": "True", "strong": "False"}])


def routellm_judgements(folder: Path) -> Path:
    row = {"question_id": 81, "model": "m", "judge": ["gpt-4", "single-v1"], "score": 9, "turn": 1, "judgment": "Good."}
    prompt = "[Question]\nWrite a blog.\n\n[The Start of Assistant's Answer]"
    return write_lines(folder / "judgements.jsonl", [row | {"user_prompt": prompt}])


def routerdc(folder: Path) -> Path:
    return write_json(folder / "gsm8k-train.json", [{"question": "1+1?", "scores": {"m": 0.7, "n": 0.0}}])


def routerarena(folder: Path) -> Path:
    result = {"generated_answer": "2", "success": True, "token_usage": {"input_tokens": 5, "output_tokens": 1}}
    row = {"global index": "AIME_1", "prompt": "1+1?", "prediction": "m", "generated_result": result, "accuracy": 1.0}
    return write_json(folder / "my-router.json", [row | {"cost": 1e-5}])


def routerarena_cached(folder: Path) -> Path:
    row = {"global_index": "AIME_1", "question": "1+1?", "llm_selected": "m", "generated_answer": "2", "success": True}
    return write_lines(folder / "m.jsonl", [row | {"evaluation_result": {"score": 1.0, "inference_cost": 1e-5}}])


def gateway(folder: Path) -> Path:
    request = {"model": "auto", "messages": [{"role": "user", "content": "1+1?"}]}
    response = {"model": "m", "choices": [{"message": {"role": "assistant", "content": "2"}}]}
    return write_lines(folder / "gateway.jsonl", [{"request": request, "response": response, "score": 1}])


def gateway_flat(folder: Path) -> Path:
    row = {"model": "m", "messages": [{"role": "user", "content": "1+1?"}], "response": "2", "spend": 0.1}
    return write_lines(folder / "spend.jsonl", [row | {"metadata": {"score": 0.5}}])


WRITERS: dict[str, tuple[Writer, ...]] = {
    "canonical": (canonical,),
    "fusionbench": (fusionbench, fusionbench_json),
    "router_data": (router_data,),
    "llmrouter": (llmrouter,),
    "llmrouterbench": (llmrouterbench,),
    "routerbench": (routerbench, routerbench_raw),
    "routellm": (routellm_gsm8k, routellm_mmlu, routellm_judgements),
    "routerdc": (routerdc,),
    "routerarena": (routerarena, routerarena_cached),
    "gateway": (gateway, gateway_flat),
}


def recognised(module: object, folder: Path) -> dict[str, set[bool]]:
    """Return what a module says of every sample, by the layout of the sample."""
    return {
        name: {module.recognises(write(folder / name / write.__name__)) for write in writers}  # type: ignore[attr-defined]
        for name, writers in WRITERS.items()
    }


def knows_only_its_own(module: object, folder: Path) -> bool:
    expected = {name: {name == module.NAME} for name in WRITERS}  # type: ignore[attr-defined]
    return recognised(module, folder) == expected
