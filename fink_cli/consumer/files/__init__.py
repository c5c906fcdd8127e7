"""Alerts and messages written to files."""
