"""Run an alert-redistribution service from end to end: cluster, access, publishing, viewing.

In Python, for who reads alerts (docs/python.md)::

    import fink_cli as fink

    with fink.subscribe("fink_sn*", group="mia-1") as stream:
        for alert in stream:
            print(alert.object_id, alert.magnitude)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fink_cli.errors import FinkError
    from fink_cli.subscriber.alert import Alert
    from fink_cli.subscriber.saved_files import read
    from fink_cli.subscriber.stream import AlertStream, subscribe

__version__ = "0.1.0"
__all__ = ["Alert", "AlertStream", "FinkError", "read", "subscribe"]

# Loaded when they are named: the command line needs none of them.
_MODULES = {
    "Alert": "fink_cli.subscriber.alert",
    "FinkError": "fink_cli.errors",
    "AlertStream": "fink_cli.subscriber.stream",
    "read": "fink_cli.subscriber.saved_files",
    "subscribe": "fink_cli.subscriber.stream",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
