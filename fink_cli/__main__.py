"""``python -m fink_cli`` is ``fink``."""

from fink_cli.app import main

main()
