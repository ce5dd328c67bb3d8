"""Experiments on multi-LLM logs: runs, ablations, sweeps, published tables and students. Started by ``python -m experiments``."""
