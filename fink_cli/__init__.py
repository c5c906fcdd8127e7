"""Run an alert-redistribution service from end to end: cluster, access, publishing, viewing."""

__version__ = "0.1.0"
