"""Measuring the golden numbers anew, and whether a file may be written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.golden.comparing import Difference, differences, is_golden
from tests.golden.files import FOLDER, Golden, path_of, read
from tests.golden.machine import fingerprint, threads
from tests.golden.parts import Part, parts, version_of
from tests.golden.tolerances import tolerance

WHERE = {
    "TRAINING_VERSION": "csae_bench/identity.py",
    "ENGINE_VERSION": "csae_bench/upstream/unlearning.py",
}


@dataclass(frozen=True)
class Renewal:
    """A golden file before and after."""

    name: str
    old: Golden | None
    """None where there is no file."""
    new: Golden

    def differences(self) -> dict[str, list[Difference]]:
        """Return part -> the values outside the tolerance, for parts that are not golden any more.

        On another machine a part may have a few and still be.
        """
        old = {} if self.old is None else self.old.numbers
        on = self.new.machine if self.old is None else self.old.machine
        collected: dict[str, list[Difference]] = {}
        for part in dict.fromkeys((*old, *self.new.numbers)):
            before, after = old.get(part, {}), self.new.numbers.get(part, {})
            allowed = tolerance(self.name, part, on, self.new.machine)
            if not is_golden(before, after, allowed):
                collected[part] = differences(before, after, allowed)
        return collected

    @property
    def is_due(self) -> bool:
        """Whether numbers or the version differ."""
        return self.old is None or self.old.version != self.new.version or bool(self.differences())

    @property
    def refusal(self) -> str | None:
        """Why the file must not be written; None where it may.

        Values may join and leave under one version: no number changes by that.
        """
        if self.old is None or not self.new.version or self.old.version != self.new.version:
            return None
        n_changed = sum(one.is_kept for some in self.differences().values() for one in some)
        if not n_changed:
            return None
        ((constant, value),) = self.new.version.items()
        return (
            f"{self.name}.json: {n_changed} numbers changed, and {constant} is still {value}. If "
            f"the change is meant, raise {constant} in {WHERE[constant]}, so that what was kept "
            "from before is not taken for results of the new code."
        )

    def lines(self) -> Iterator[str]:
        """Yield what differs, a line each."""
        if self.old is not None and self.old.version != self.new.version:
            yield f"{self.name}: version {self.old.version} -> {self.new.version}"
        if self.old is not None:
            for part, some in self.differences().items():
                yield from (f"{self.name}/{part} {one}" for one in some)
        state = "new" if self.old is None else "differs" if self.is_due else "unchanged"
        yield f"{self.name}.json: {sum(map(len, self.new.numbers.values()))} numbers, {state}"


def renew(name: str, folder: Path = FOLDER, of: list[Part] | None = None) -> Renewal:
    """Measure the numbers of a golden file.

    Args:
        of: parts to choose from instead of all.

    Raises:
        GoldenFileError: the file was edited by hand.
    """
    old = read(name, folder) if path_of(name, folder).is_file() else None
    with threads():
        numbers = {part.name: part.measure() for part in of or parts() if part.file == name}
        machine = fingerprint()
    return Renewal(name, old, Golden(machine, version_of(name), numbers))
