"""The libraries that pages carry are those that vendor.lock names, byte by byte, each with its licence."""

import hashlib

from infra.vendor import FOLDER, LOCK, locked


def test_every_file_is_the_one_that_was_looked_at():
    named = {name: sha256 for package in locked(LOCK.read_text()) for _, name, sha256 in package.files}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir() if path != LOCK}
    assert found == named


def test_every_package_comes_with_its_licence():
    for package in locked(LOCK.read_text()):
        assert any(path == "LICENSE" for path, _, _ in package.files), package.name
