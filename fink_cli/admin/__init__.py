"""What an operator asks of a cluster, ours or another: topics, users, access rules.

Functions that take a connection raise ``UnreachableError`` if no broker answers or the login is
refused, and ``OperationFailedError`` if the user lacks a right. Docstrings name the other errors.
"""
