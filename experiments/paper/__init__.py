"""One script per published table: it rebuilds the table from a log, beside the published numbers."""
