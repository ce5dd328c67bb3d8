"""Engines turn prompts into responses: an OpenAI-compatible API, vLLM and transformers."""
