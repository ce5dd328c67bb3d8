"""The tasks of FusionBench, each a small file, and tasks of the user's own."""
