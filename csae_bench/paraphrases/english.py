"""Paraphrases in English, made of the words of the factor grid `english`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

from csae_bench.corpora.files import files_sha256
from csae_bench.factors.datasets import english
from csae_bench.factors.datasets.english.grid import FACTORS
from csae_bench.factors.datasets.english.in_english import ENGLISH
from csae_bench.factors.datasets.english.language import Facts


@dataclass(frozen=True)
class EnglishParaphrases:
    """Sentences of the grid, without end; groups of two, in training templates and words alone.

    Both sentences have the same value of each factor, the same people, deed, time and scene.
    Their templates differ; the words of address, of emphasis and of praise are drawn for each.
    The grid's test split has other templates, none of which occurs here, and reserved words.
    """

    seed: int

    n_groups: None = None

    def texts(self, group: int) -> tuple[str, ...]:
        """Return the texts of a group, always the same."""
        rng = Random(f"english/paraphrases/{self.seed}/{group}")
        facts = Facts(*(rng.randrange(len(FACTORS[name])) for name in Facts._fields))
        drawn = ENGLISH.draw(facts, lambda _: rng, reserved=False)
        templates = rng.sample(sorted(ENGLISH.train_templates), 2)
        return tuple(
            ENGLISH.fill(facts, ENGLISH.redraw(drawn, facts, lambda _: rng), template)
            for template in templates
        )


def english_fingerprint() -> str:
    """Hash the code that makes the sentences."""
    return files_sha256([*english.code_files(), Path(__file__)])
