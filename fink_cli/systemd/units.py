"""The units of systemd that run fink's services. Pure: data in, text out.

The settings are those of ``man systemd.service``, ``systemd.exec`` and ``systemd.kill``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KAFKA = "fink-kafka"
SYSTEM_HOME = "/var/lib/fink"
"""``FINK_HOME`` of services of the system where none is set: systemd makes it for their user."""

# A wrong setting (2) does not mend itself; all else may: brokers come back, disks get room.
_WRONG_SETTINGS, _INTERRUPTED = 2, 130
_RESTART_SECONDS = 15
# As of user services as well, which may not ask for more than their user's rights.
_HARDENING = {
    "NoNewPrivileges": "yes",
    "UMask": "0077",
    "LockPersonality": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
}
# MemoryDenyWriteExecute is not among them: Java compiles to memory.
_SYSTEM_HARDENING = {
    "ProtectSystem": "strict",
    "ProtectHome": "read-only",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictNamespaces": "yes",
    "CapabilityBoundingSet": "",
}


@dataclass(frozen=True)
class Service:
    """What a unit runs.

    Attributes:
        name: the unit's name, without its ending.
        description: one line, which ``systemctl`` shows.
        command: the command, from the root on, with its arguments.
        start_seconds: how long it may take to be ready.
        stop_seconds: how long it may take to end.
        after: other units that start before it, where they are there.
    """

    name: str
    description: str
    command: Sequence[str]
    start_seconds: int
    stop_seconds: int
    after: Sequence[str] = ()


def unit(
    service: Service, environment: Mapping[str, str], run_as: str | None, home: Path | None
) -> str:
    """Return the text of a unit.

    Args:
        service: what it runs.
        environment: the variables that the service is given; none is a secret.
        run_as: the user of a service of the system; ``None`` for one of a user's own.
        home: the ``FINK_HOME`` that it may write to; ``None`` lets systemd make one of its own.
    """
    after = [*service.after, *(["network-online.target"] if run_as else [])]
    sections = {
        "Unit": {
            "Description": _escaped(service.description),
            "Documentation": "https://fink-broker.org",
            **({"Wants": " ".join(after), "After": " ".join(after)} if after else {}),
            # It is tried again for as long as it takes: an outage may last.
            "StartLimitIntervalSec": "0",
        },
        "Service": {
            "Type": "notify",
            "NotifyAccess": "main",
            "ExecStart": " ".join(_quoted(word).replace("$", "$$") for word in service.command),
            "Restart": "on-failure",
            "RestartSec": str(_RESTART_SECONDS),
            "RestartPreventExitStatus": str(_WRONG_SETTINGS),
            "SuccessExitStatus": str(_INTERRUPTED),
            # fink alone is asked to end, and lets a batch be finished.
            "KillMode": "mixed",
            "TimeoutStartSec": str(service.start_seconds),
            "TimeoutStopSec": str(service.stop_seconds),
            "LimitNOFILE": "100000",
            **(_of_the_system(run_as, home) if run_as else {}),
            **_HARDENING,
        },
        "Install": {"WantedBy": "multi-user.target" if run_as else "default.target"},
    }
    lines = [f"# {service.name}.service, made by fink systemd", ""]
    for title, settings in sections.items():
        lines += [f"[{title}]", *(f"{key}={value}" for key, value in settings.items())]
        if title == "Service":
            lines += [f"Environment={_quoted(f'{k}={v}')}" for k, v in environment.items()]
        lines.append("")
    return "\n".join(lines)


def _of_the_system(run_as: str, home: Path | None) -> dict[str, str]:
    folders = (
        {"ReadWritePaths": _quoted(str(home))}
        if home
        else {"StateDirectory": "fink", "StateDirectoryMode": "0700"}
    )
    cache = {"CacheDirectory": "fink", "CacheDirectoryMode": "0700"}
    return {"User": _escaped(run_as), **folders, **cache, **_SYSTEM_HARDENING}


def _escaped(text: str) -> str:
    """Write text so that systemd expands no specifier in it."""
    return text.replace("\\", "\\\\").replace("%", "%%").replace("\n", "\\n")


def _quoted(text: str) -> str:
    """Write one word of a setting: systemd takes a setting apart at blanks."""
    escaped = _escaped(text).replace('"', '\\"')
    return f'"{escaped}"' if not text or set(text) & set(" \t'\"\\;$") else escaped
