"""Build the native package with the crates that native/crates.lock pins, and install it.

Cargo.lock names the address of the registry beside each crate, and no file here may hold one. So
crates.lock is Cargo.lock without these lines: names, versions, SHA-256 sums and what needs what. A
build writes Cargo.lock from it, with the address that cargo itself puts into a lock that it makes
anew, and builds with ``--locked``: cargo then takes these crates and no others.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NATIVE = ROOT / "native"
PINNED, LOCK = NATIVE / "crates.lock", NATIVE / "Cargo.lock"
# Kept from build to build: the first takes a minute or two, the next some seconds.
TARGET = ROOT / "build" / "native"
_SOURCE = re.compile(r'^source = "[^"]*"\n', re.MULTILINE)


def has_cargo() -> bool:
    """Tell whether there is a cargo that works: rustup's does not before it has a toolchain."""
    if shutil.which("cargo") is None:
        return False
    return subprocess.run(["cargo", "--version"], capture_output=True, check=False).returncode == 0


def new_lock() -> str:
    """Let cargo make a lock with the newest versions that native/Cargo.toml allows."""
    LOCK.unlink(missing_ok=True)
    subprocess.run(["cargo", "generate-lockfile", "--quiet"], cwd=NATIVE, check=True)
    return LOCK.read_text()


def restore() -> None:
    """Write Cargo.lock with the crates that are pinned."""
    pinned = PINNED.read_text()
    if LOCK.exists() and _SOURCE.sub("", LOCK.read_text()) == pinned:
        return
    source = _SOURCE.search(new_lock())
    assert source is not None
    LOCK.write_text(pinned.replace("\nchecksum = ", f"\n{source.group()}checksum = "))


def main() -> int:
    """Build and install, or pin the newest crates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pin", action="store_true", help="pin the newest crates, build nothing")
    parser.add_argument("--wheel", metavar="DIR", help="leave the wheel there, install nothing")
    options = parser.parse_args()
    if not has_cargo():
        print(
            "fink reads faster with its native part: install Rust 1.85 or newer (cargo), and type "
            "make install again.",
            file=sys.stderr,
        )
        return 0
    if options.pin:
        PINNED.write_text(_SOURCE.sub("", new_lock()))
        return 0
    try:
        restore()
        build_wheel(options.wheel)
    except subprocess.CalledProcessError as error:
        print(
            f"The native part could not be built: fink works without it, slower ({error}).",
            file=sys.stderr,
        )
        return 1
    return 0


def build_wheel(folder: str | None) -> None:
    """Build the wheel, and install it where no folder is given for it.

    Raises:
        CalledProcessError: it can't be built.
    """
    wheels = Path(folder or TARGET / "wheels").resolve()
    for old in wheels.glob("fink_native-*.whl"):
        old.unlink()
    print("Building the native part (the first time takes a minute or two) …", file=sys.stderr)
    build = ["maturin", "build", "--release", "--locked", "--quiet", "--target-dir", str(TARGET)]
    build += ["--interpreter", sys.executable, "--out", str(wheels)]
    maturin = Path(sys.executable).with_name("maturin")
    subprocess.run(build, executable=maturin, cwd=NATIVE, check=True)
    if not folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        (wheel,) = wheels.glob("fink_native-*.whl")
        subprocess.run([*pip, "--no-deps", "--no-index", "--force-reinstall", wheel], check=True)


if __name__ == "__main__":
    sys.exit(main())
