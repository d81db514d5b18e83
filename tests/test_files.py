"""A file is written whole or not at all, and where it was meant to be."""

import errno
import os

import pytest

from explorer.files import write_atomically


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new folder" / "a.csv"
    for content in (b"first, longer", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    write_atomically(path, b"first")
    real_write = os.write

    def fill_up(file, data):
        if len(data) > 3:
            return real_write(file, data[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fill_up)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"somebody's")
    link = tmp_path / "a.csv"
    link.symlink_to(elsewhere)
    write_atomically(link, b"ours")
    assert elsewhere.read_bytes() == b"somebody's"
    assert not link.is_symlink()
    assert link.read_bytes() == b"ours"


def test_permissions_are_those_asked_for_less_the_umask(tmp_path):
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "text", b"")
        write_atomically(tmp_path / "program", b"", 0o700)
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("text", "program")] == [0o644, 0o700]


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
