import os
from pathlib import Path

import pytest

from csae_bench.support.regular_files import (
    check_regular,
    impossible_path,
    read_regular,
    read_regular_text,
)


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"{}")
    assert read_regular(path, at_most=2) == b"{}"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b", at_most=10) == b"x"


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes("\ufeffä".encode())
    assert read_regular_text(path, at_most=10) == "ä"


def test_a_larger_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"xxx")
    with pytest.raises(OSError, match="larger than"):
        read_regular(path, at_most=2)


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a FIFO"):
        read_regular(tmp_path / "pipe", at_most=10)


def test_a_device_is_refused_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="a device"):
        read_regular(tmp_path / "zero", at_most=10)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path, at_most=10)


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        read_regular(tmp_path / "loop", at_most=10)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_name_that_no_file_can_have_is_an_oserror(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"too long|null"):
        read_regular(tmp_path / name, at_most=10)


def test_a_file_that_a_library_opens_itself_is_checked_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    check_regular(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    for path, why in (
        (tmp_path / "fifo", "Is no regular file but a FIFO"),
        (Path("/dev/zero"), "Is no regular file but a device"),
        (tmp_path, "Is a directory"),
        (tmp_path / "missing", "No such file"),
    ):
        with pytest.raises(OSError, match=why):
            check_regular(path)


@pytest.mark.parametrize("name", ["nowhere", ".", "fifo", "zero", "a\0b"])
def test_what_is_no_regular_file_is_refused_before_it_is_opened(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(OSError, match=r".") as caught:
        check_regular(tmp_path / name)
    assert caught.value.strerror


def test_a_link_to_a_regular_file_passes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    check_regular(tmp_path / "link")


@pytest.mark.parametrize("text", ["a", "a" * 255, "/".join(["a" * 200] * 20), "é" * 127, "~/x"])
def test_a_possible_path_has_no_problem(text: str) -> None:
    assert impossible_path(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 256, "a part of 256 bytes"),
        ("é" * 128, "a part of 256 bytes"),
        ("a/" * 2048, "is 4096 bytes long"),
        ("a\0", "holds a NUL"),
        ("~nosuchuser", "a user 'nosuchuser'"),
    ],
)
def test_an_impossible_path_says_why(text: str, expected: str) -> None:
    assert expected in str(impossible_path(text))
