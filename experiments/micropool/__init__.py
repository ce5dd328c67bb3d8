"""The micropool: tiny language models, trained here, whose log comes with the package. See `experiments.micropool.pool`."""
