"""Input of evals on text classes."""

from __future__ import annotations

from dataclasses import dataclass

from csae_bench.engines.classes.drawing import Sizes, draw_classes, draw_pairs
from csae_bench.engines.classes.names import dataset_name
from csae_bench.engines.classes.sources import pool_fingerprint
from csae_bench.errors import CsaeBenchError
from csae_bench.evals.inputs import Status


@dataclass(frozen=True, kw_only=True)
class ClassesInput:
    """A dataset of text classes, as much of it as an eval draws."""

    name: str
    sizes: Sizes
    seed: int
    has_two_labels: bool = False
    """Whether each text has a second label, as scr needs."""
    key: str = "dataset_names"
    kind: str = "classes"

    def status(self) -> list[Status]:
        """Return whether there are texts enough of each class; they are read."""
        try:
            if dataset_name(self.name).kind == "hub":
                return [("unknown", f"dataset '{self.name}' is on the hub: not checkable here.")]
            if self.has_two_labels:
                pairs = draw_pairs(self.name, self.sizes, self.seed)
                return [("ok", f"{self.name}: {len(pairs.first_pairs)} pairs of classes")]
            drawn = draw_classes(self.name, self.sizes, self.seed)
        except CsaeBenchError as error:
            return [("problem", str(error))]
        return [("ok", f"{self.name}: {len(drawn.train)} classes")]

    def fingerprint(self) -> str:
        """Return a hash of the dataset's texts, its files' stamps, or of its name on the hub."""
        try:
            return pool_fingerprint(dataset_name(self.name))
        except CsaeBenchError:
            return self.name
