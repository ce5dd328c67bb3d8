"""Sweeps: a file in W&B's own format, run here through Optuna, or by `wandb agent` unchanged."""
