"""Completion in the shell, quick enough to be pressed without a thought.

Typer's own would load a group's module, and with it Kafka's client, at every press of the key.
Here the shape of the command line is kept in the cache (``tree.py``), and so are the names that
the cluster knows (``names.py``); a process in the background (``fink_cli.completion_refresh``)
keeps both fresh. The shells' scripts are Typer's: ``fink --install-completion``.
"""
