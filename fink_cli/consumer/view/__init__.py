"""Alerts drawn in a terminal: the table, the detail view and the browser."""
