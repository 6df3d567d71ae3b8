"""Fetch the libraries that the console's pages carry, as vendor.lock names them: `make vendor`. Needs npm.

Every package is held to npm's integrity and every file to its sha256, so what is fetched is what was looked at.
`--check` writes nothing and says what differs.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "app" / "weir" / "web" / "console" / "static" / "vendor"
LOCK = FOLDER / "vendor.lock"


@dataclass(frozen=True)
class Package:
    """A package of npm. integrity: its tarball's, as npm writes it. files: (path in it, name here, sha256 hex)."""

    name: str
    version: str
    integrity: str
    files: list[tuple[str, str, str]] = field(default_factory=list)


def locked(text: str) -> list[Package]:
    """What a lock names."""
    found: list[Package] = []
    for line in text.splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if line.startswith(" "):
            path, here, sha256 = words
            found[-1].files.append((path, here, sha256))
        else:
            name, version, integrity = words
            found.append(Package(name, version, integrity))
    return found


def fetched(package: Package, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name here and bytes of each file of a package. Raises SystemExit where npm gives something else."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}"]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    tarball = (folder / name).read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    if found != package.integrity:
        sys.exit(f"{package.name} {package.version}: its integrity is {found}, and {LOCK} says {package.integrity}")
    with tarfile.open(folder / name) as tar:
        for path, here, sha256 in package.files:
            member = tar.extractfile(f"package/{path}")
            content = member.read() if member else b""
            if hashlib.sha256(content).hexdigest() != sha256:
                sys.exit(f"{package.name} {package.version}: {path} is not what {LOCK} says")
            yield here, content


def main() -> None:
    """Write the files, or compare them."""
    check = "--check" in sys.argv[1:]
    different = []
    with tempfile.TemporaryDirectory() as folder:
        for package in locked(LOCK.read_text()):
            for name, content in fetched(package, Path(folder)):
                path = FOLDER / name
                if path.is_file() and path.read_bytes() == content:
                    continue
                different.append(name)
                if not check:
                    path.write_bytes(content)
    if check and different:
        sys.exit(f"differs from npm: {', '.join(different)}; run `make vendor`")


if __name__ == "__main__":
    main()
