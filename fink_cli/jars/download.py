"""A jar from Maven Central, or from a mirror of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver
from requests import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from fink_cli.errors import UnreachableError


def download(
    coordinate: str, filename: str, aside: Path, report: Callable[[str, int], None]
) -> Path:
    """Fetch a jar, and try again where the network fails.

    Args:
        coordinate: its Maven coordinate.
        filename: what to call it in an error and in a report.
        aside: a folder to fetch it to.
        report: is told how many bytes came.

    Returns:
        The file, not yet checked.

    Raises:
        UnreachableError: it can't be fetched.
    """
    try:
        return _fetched(coordinate, filename, aside, report)
    except (RequestException, RuntimeError) as error:
        raise UnreachableError(
            f"{filename} is not in the cache and could not be fetched.",
            "Check the network and try again; or use an installed Kafka: set KAFKA_HOME; "
            "or a mirror of Maven Central: set FINK_MAVEN_MIRROR",
        ) from error


@retry(
    retry=retry_if_exception_type(RequestException),
    stop=stop_after_attempt(3),
    wait=wait_exponential(max=4),
    reraise=True,
)
def _fetched(
    coordinate: str, filename: str, aside: Path, report: Callable[[str, int], None]
) -> Path:
    @contextmanager
    def progress(_filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield lambda count: report(filename, count)

    mirror = os.environ.get("FINK_MAVEN_MIRROR")
    shutil.rmtree(aside / "m2", ignore_errors=True)
    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=aside / "m2",
        remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
    )
    return Path(context.create_dependency(coordinate).artifact.resolve())
