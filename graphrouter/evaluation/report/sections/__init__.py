"""Sections of a report, as values for its templates."""
