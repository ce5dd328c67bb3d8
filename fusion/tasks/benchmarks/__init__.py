"""Tasks that come with the package, a file each with ``TASK`` in it; the file's name is the task's."""
