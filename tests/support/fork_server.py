"""A process that has imported what fink's commands import, and forks one for each run of fink.

The tests run fink 540 times. A new interpreter spends most of its second of processor time on
imports; a fork has them. It is a process of its own, with the exit code, streams, folder, umask and
environment that it is given. Only what it takes to start, its imports, its command line, and
variables that Python reads as it starts can't be seen in it.

A request is a packet on a socket: JSON, with the file descriptors of stdin, stdout, stderr, and a
pipe on which the process's number and then its exit code are written, a line each.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module

LARGEST_REQUEST = 200_000
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Variables without which numpy and pyarrow begin threads, which a fork would not have."""
# What commands import inside functions, beside fink's own modules.
_LIBRARIES = (
    "confluent_kafka.admin",
    "fastavro",
    "getpass",
    "orjson",
    "pydantic",
    "rich.live",
    "rich.progress",
    "simpleeval",
    "tomlkit",
    "typer.rich_utils",
    "yaml",
)
_NOT_IMPORTED = (
    "fink_cli.__main__",
    "fink_cli.distribution.driver",
    "fink_cli.distribution.dry_run.__main__",
    "fink_cli.distribution.spark",
)


def import_fink() -> None:
    """Import all of fink but what runs in processes of its own."""
    import fink_cli

    for module in pkgutil.walk_packages(fink_cli.__path__, "fink_cli."):
        if not module.name.startswith(_NOT_IMPORTED):
            import_module(module.name)
    for name in _LIBRARIES:
        import_module(name)


def serve(control: socket.socket) -> list[str]:
    """Answer requests until the other end is closed.

    Returns:
        In each forked process, fink's arguments. The server itself never returns.
    """
    while True:
        content, descriptors, _, _ = socket.recv_fds(control, LARGEST_REQUEST, 4)
        if not content:
            raise SystemExit
        if os.fork() == 0:
            *streams, report = descriptors
            pid = os.fork()
            if pid == 0:
                control.close()
                os.close(report)
                return _become_fink(json.loads(content), streams)
            _report_end(pid, streams, report)
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _become_fink(request: dict[str, object], streams: list[int]) -> list[str]:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # As Python opens them when it starts; those of the server are of a file, not of a pipe.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["environ"])  # type: ignore[arg-type]
    os.chdir(str(request["folder"]))
    os.umask(int(str(request["umask"])))
    arguments: list[str] = request["arguments"]  # type: ignore[assignment]
    return arguments


def _report_end(pid: int, streams: list[int], report: int) -> None:
    """Wait for the end of a forked process, and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in streams:
        os.close(stream)
    os.write(report, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _run_to_the_end() -> None:
    """Run fink, and end as an interpreter does, but for freeing all that it has imported.

    That would copy most of the memory that the fork shares with the server.
    """
    from fink_cli.app import main as fink

    exit_code: object = 0
    try:
        fink()
    except SystemExit as end:
        exit_code = end.code or 0
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    if not isinstance(exit_code, int):
        sys.stderr.write(f"{exit_code}\n")
        exit_code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def main() -> None:
    """Serve; in a forked process, be fink."""
    program = sys.argv[1]
    sys.path[0] = os.path.dirname(program)  # noqa: PTH120 - as of an installed script
    import_fink()
    threads = os.listdir("/proc/self/task")  # noqa: PTH208
    assert len(threads) == 1, f"a process with {len(threads)} threads must not be forked"
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[2])) as control:
        try:
            arguments = serve(control)
        except KeyboardInterrupt:
            return
    sys.argv = [program, *arguments]
    _run_to_the_end()


if __name__ == "__main__":
    main()
