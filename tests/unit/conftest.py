"""What several tests of functions need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fink_cli.avro import native


@pytest.fixture(params=["fink_native", "fastavro"])
def either_reader(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Messages are read by the native package, and once more by fastavro alone."""
    if request.param == "fastavro":
        monkeypatch.setattr(native, "library", None)
    elif native.library is None:
        pytest.skip("the native part is not built: make install")
    native.reader_of.cache_clear()
    yield
    native.reader_of.cache_clear()
