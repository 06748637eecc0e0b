"""CE-Bench's scores: does one latent stand out in what differs between two texts?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from csae_bench.config.base import Count
from csae_bench.config.pairs import MinimalSettings
from csae_bench.engines.ce_bench.pairs import AUTO, PairsInput, chosen_pairs
from csae_bench.engines.ce_bench.results import FORM, METRICS, CeBenchDetail
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs


class CeBenchConfig(EvalConfig):
    """Settings of CE-Bench's scores."""

    dataset: str = AUTO
    """Minimal pairs, as in `pairs.minimal.dataset`: `tinyworld`, `english`, a .jsonl or .parquet
    file or a folder of such files with a group and a text in each row, the name of a dataset on
    the Hugging Face hub, or a .csv table of entities. `auto`: `tinyworld` for the bundled model,
    `english` for others."""

    group_column: str = "group"
    """Column with the id of a text's group: two stories on one subject, or an anchor and what
    differs from it."""

    text_column: str = "text"
    """Column with the text."""

    changed_column: str = "changed"
    """Column with the factor in which a text differs from the anchor of its group; without it the
    first text of a group is the anchor."""

    entity_column: str = "entity"
    """Column of a .csv table with the entity; all others are attributes."""

    templates: tuple[str, ...] = ()
    """Sentences that a table's entities are put into, at `{entity}`."""

    factors: tuple[str, ...] | None = None
    """Factors that may differ; none: any."""

    n_pairs: Annotated[int, Field(ge=2)] = 500
    """Number of pairs, at most."""

    seed: Annotated[int, Field(ge=0, lt=2**20)] = 0
    """Seed of the pairs that are made up, none of which training has, of null and intervals."""

    n_permutations: Count = 100
    """Draws of other partners for the pairs; the smallest p is 1 / (1 + this)."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Resamples of the pairs, for the 95% intervals."""

    def needs(self, model: str | None) -> Needs:
        """Return the minimal pairs."""
        return Needs(inputs=(PairsInput(settings=self.pairs(self.model or model)),))

    def pairs(self, model: str | None) -> MinimalSettings:
        """Return the pairs as training's settings name them, `auto` resolved."""
        return MinimalSettings(
            dataset=chosen_pairs(self.dataset, model),
            group_column=self.group_column,
            text_column=self.text_column,
            changed_column=self.changed_column,
            entity_column=self.entity_column,
            templates=self.templates,
            factors=self.factors,
        )


@register_eval(
    "ce_bench",
    config=CeBenchConfig,
    metrics=METRICS,
    headline=(
        "contrastive_score",
        "contrastive_score_null_mean",
        "independence_score",
        "paraphrase_contrastive_score",
    ),
    form=FORM,
    detail=CeBenchDetail,
    presets={
        "quick": Preset(
            settings={"n_pairs": 200, "n_permutations": 20},
            about="Two fifths of the pairs, a fifth of the draws.",
        ),
        "published": Preset(
            settings={"n_pairs": 5000},
            about="As many pairs as CE-Bench has stories, but not its stories: put its dataset "
            "GulkoA/contrastive-stories-v4 into a file with a group and a text in each row.",
        ),
    },
)
def ce_bench(ctx: EvalContext, cfg: CeBenchConfig) -> EvalResult:
    """CE-Bench's contrastive and independence scores on minimal pairs, with paraphrases as control.

    What it measures: codes are averaged over the tokens of each text. The contrastive score of
    a pair is that of the latent whose mean code differs most between the two texts, in standard
    deviations of this difference over all latents; the independence score is the same of the
    difference between the pair's mean code and that of all pairs; the interpretability score is
    the same of the sum of both differences. Each is a mean over pairs. Gulko, Peng & Kumar 2025,
    arXiv:2509.00691.

    The formulas are those of the authors' code (github.com/Yusen-Peng/CE-Bench,
    ce_bench/CE_Bench.py) and README, with the caption of the paper's figure. Where they differ:

    - Normalisation: by mean and standard deviation over latents, as in the code. The README speaks
      of normalising both means jointly, and not of how.
    - Mean over pairs of the largest latent, as in the code (`contrastive_score_mean.max`).
    - Mean code of all pairs, I_avg: taken over pairs, as the caption says. The code adds it to
      itself, from 0, and so leaves it out; that value is `independence_score_as_run`.
    - Mean code of a pair: over the tokens of both texts, as in the code.
    - Interpretability score: of the sum of both distances, as in the code. The regression on
      SAE-Bench's results and the weight of sparsity are fitted to other SAEs, and left out.
    - Special tokens are left out here; the code averages over `<bos>` too.

    The null gives each text another partner: pairs that differ in much have less that stands out.
    The contrastive score of paraphrases, which differ in no factor, says what is due to wording.

    Data: the minimal pairs of `tinyworld` for the bundled model, English ones for others, or any
    .jsonl or .parquet file with groups of texts, such as CE-Bench's own 5000 pairs of stories.
    Pairs of training have other seeds.

    Cost: one pass of the model over the texts, which all SAEs share.

    When not to trust it: between SAEs of different widths, since a latent that alone differs has
    a score of about sqrt(d_sae). Dead latents widen an SAE too, and sparse ones have higher scores
    whatever their latents mean. An SAE that was trained on minimal pairs of the same templates has
    an advantage. Stories and sentences do not compare.
    """
    from csae_bench.engines.ce_bench import pairs as of_pairs
    from csae_bench.engines.ce_bench import results

    settings = cfg.pairs(ctx.model_name)
    pairs = of_pairs.read_pairs(settings, n_pairs=cfg.n_pairs, seed=cfg.seed)
    encoded = of_pairs.encode_pairs(ctx, pairs, settings.dataset)
    metrics, reasons = results.measured(
        encoded,
        n_permutations=cfg.n_permutations,
        n_resamples=cfg.n_resamples,
        seed=cfg.seed,
    )
    return EvalResult(
        metrics=metrics,
        details=results.details(encoded),
        unstructured={
            "data": results.data(encoded, settings.dataset),
            "reasons": reasons,
            "warnings": results.warnings(encoded),
        },
    )
