"""Thought templates: mined from ranked responses, kept in a library, retrieved for similar queries."""

from __future__ import annotations

from fusion.templates.library import Library
from fusion.templates.merging import merge_libraries, merge_near
from fusion.templates.template import Template, make_template

__all__ = ["Library", "Template", "make_template", "merge_libraries", "merge_near"]
