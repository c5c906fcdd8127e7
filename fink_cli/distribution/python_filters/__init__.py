"""Filters written in Python: loaded, given their columns, and asked for each alert."""
