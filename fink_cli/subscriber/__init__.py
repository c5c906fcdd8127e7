"""Alerts in Python: read topics and saved files, alert by alert or as Arrow tables."""
