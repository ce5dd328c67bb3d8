"""One run of an experiment: its config, its execution, its record, and many of them at a time."""
