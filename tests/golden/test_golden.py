"""Results on stored inputs are those in the golden files."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.golden.comparing import differences, is_golden
from tests.golden.files import FOLDER, read
from tests.golden.machine import fingerprint, threads
from tests.golden.parts import VERSIONS, Part, file_names, parts, version_of
from tests.golden.tolerances import tolerance

SHOWN = 12


@pytest.fixture(autouse=True)
def _one_thread() -> Generator[None]:
    with threads():
        yield


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.id)
def test_numbers_are_golden(part: Part) -> None:
    golden = read(part.file)
    old, new = golden.numbers[part.name], part.measure()
    allowed = tolerance(part.file, part.name, golden.machine, fingerprint())
    collected = [str(one) for one in differences(old, new, allowed)]
    rest = f"\n... and {len(collected) - SHOWN} more" if len(collected) > SHOWN else ""
    shown = "\n".join(collected[:SHOWN])
    assert is_golden(old, new, allowed), (
        f"{part.id}: {len(collected)} of {len(old)} numbers are outside {allowed}:\n{shown}{rest}\n"
        f"`python -m tests.golden {part.file}` shows all."
    )


@pytest.mark.parametrize("name", file_names())
def test_a_golden_file_is_as_the_renewal_wrote_it(name: str) -> None:
    assert set(read(name).numbers) == {part.name for part in parts() if part.file == name}


@pytest.mark.parametrize("name", VERSIONS)
def test_golden_numbers_belong_to_the_version_of_the_code(name: str) -> None:
    assert read(name).version == version_of(name), (
        f"{name}.json belongs to another version: `python -m tests.golden {name}` shows what "
        "differs; with --write the numbers of today become the golden ones."
    )


def test_there_is_no_other_golden_file() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(file_names())
