"""Code of the sandbox's own processes: standard library only, and none of the rest of this project."""
