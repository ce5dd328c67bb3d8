"""What the parts of a report show, as values for its templates."""
