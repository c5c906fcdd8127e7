"""Ask Spark without publishing: each request is answered by a process of its own, in lines."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fink_cli.distribution.dry_run.requests import ERROR, ReadRequest, SampleRequest, dump, load
from fink_cli.distribution.service.processes import end, environment, last_lines
from fink_cli.distribution.service.status import ErrorReport
from fink_cli.errors import FinkError, OperationFailedError


def ask(request: SampleRequest | ReadRequest) -> Iterator[str]:
    """Yield the lines of an answer.

    Raises:
        FinkError: the error of the process that answers, or it ended without an answer.
    """
    folder = Path(tempfile.mkdtemp(prefix="fink-"))
    log = folder / "log"
    kind = "sample" if isinstance(request, SampleRequest) else "read"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fink_cli.distribution.dry_run", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            cwd=folder,
            start_new_session=True,
            env=environment(request.spark.master),
        )
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The process has no pipes.")
        process.stdin.write(f"{dump(request)}\n")
        process.stdin.flush()
        error: FinkError | None = None
        for line in process.stdout:
            if line.startswith(ERROR):
                error = load(ErrorReport, line.removeprefix(ERROR)).error()
            else:
                yield line.rstrip("\n")
        if process.wait() != 0:
            text = "\n".join(last_lines(log))
            raise error or OperationFailedError(f"Spark failed. Its log ends so:\n{text}")
    finally:
        process.terminate()
        end(process)
        shutil.rmtree(folder, ignore_errors=True)
