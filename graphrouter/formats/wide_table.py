"""The wide table: one row per query, three columns per LLM. Its names, and the export.

Source: RouterBench (arXiv:2403.12031), ``routerbench_0shot.pkl``, as read in https://github.com/withmartian/routerbench.
"""

from __future__ import annotations

SAMPLE_ID, PROMPT, EVAL_NAME = "sample_id", "prompt", "eval_name"
ORACLE = "oracle_model_to_route_to"
FIXED = (SAMPLE_ID, PROMPT, EVAL_NAME, ORACLE)
RESPONSE, COST = "|model_response", "|total_cost"
"""Endings of an LLM's columns; its score is in the column of its bare name."""
NO_MODEL = "no_model_correct"
"""The oracle's entry where no LLM is right."""
