"""Public layouts of multi-LLM logs, read into an `LLMLog` and written from one. Each file alone knows its layout's columns."""
