"""The making of multi-LLM logs, and what is made from them: collect, judge."""
