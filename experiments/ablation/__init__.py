"""Ablations: a base, named differences, their runs, and tables of paired differences."""
