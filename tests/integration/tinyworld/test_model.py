"""The shipped model is as good as its card says; sampled, the whole takes minutes."""

import pytest

from csae_bench.tinyworld import (
    DEFAULT_HOOK,
    documents,
    factor_grid,
    lm,
    model_dir,
    quality,
    questions,
)
from csae_bench.tinyworld.questions import prompt
from csae_bench.tinyworld.subjects import SUBJECTS
from csae_bench.tinyworld.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def shipped():
    return lm.load(model_dir())


@pytest.fixture(scope="module")
def grid():
    return factor_grid("test", repeats=1, seed=1)


def test_the_folder_is_at_most_eight_megabytes_and_has_a_card():
    assert sum(f.stat().st_size for f in model_dir().iterdir()) <= 8_000_000
    assert "## Figures" in (model_dir() / "README.md").read_text()


def test_the_shipped_configuration_is_the_one_that_training_uses(shipped):
    model, tokenizer = shipped
    ours = lm.lm_config(tokenizer.get_vocab_size()).to_dict()
    theirs = model.config.to_dict()
    varying = {"architectures", "dtype", "_name_or_path", "transformers_version"}
    assert {k: theirs[k] for k in ours.keys() - varying} == {
        k: ours[k] for k in ours.keys() - varying
    }
    assert model.num_parameters() <= 2_000_000


def test_the_shipped_tokenizer_is_the_one_that_the_code_builds(shipped):
    assert build_tokenizer().to_str() == shipped[1].to_str()


def test_the_default_hook_lies_after_two_thirds_of_the_layers(shipped):
    assert f"blocks.{quality.DEFAULT_LAYER}.hook_resid_post" == DEFAULT_HOOK
    assert round(shipped[0].config.num_hidden_layers * 2 / 3) == quality.DEFAULT_LAYER + 1


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subjects_questions_are_right_in_all_orders(shipped, subject):
    assert quality.question_accuracy(*shipped, subject, n=20) >= 0.95


def test_cross_entropy_is_well_below_a_trigram_models(shipped):
    figures = quality.cross_entropy(*shipped, n_trigram_batches=300, n_validation_batches=8)
    assert figures.model < 0.8 * figures.trigram


@pytest.mark.slow
def test_every_factor_is_readable_by_a_linear_probe_on_reserved_templates(shipped, grid):
    accuracy = quality.probe_accuracy(*shipped, factor_grid("train", repeats=2), grid)
    assert min(accuracy.values()) >= 0.95


@pytest.mark.slow
def test_every_factors_later_word_is_predicted(shipped, grid):
    accuracy = quality.later_word_accuracy(*shipped, grid)
    assert min(figure.overall for figure in accuracy.values()) >= 0.95


def test_documents_for_saes_cost_no_more_than_validation(shipped):
    figures = [
        quality.model_cross_entropy(shipped[0], quality.packed(shipped[1], split, 4))
        for split in ("sae", "core", "validation")
    ]
    # stories and facts are dearer than questions, of which these splits hold fewer
    assert max(figures[:2]) < 2 * figures[2]
    assert next(documents("sae", 1)) != next(documents("core", 1))


def test_prompts_are_exactly_sae_benchs():
    from sae_bench.evals.unlearning.utils import metrics, var

    for subject in SUBJECTS:
        pre = (
            var.PRE_WMDP_BIO
            if subject == "wmdp-bio"
            else var.PRE_QUESTION_FORMAT.format(subject=subject.replace("_", " "))
        )
        for row in questions(subject)[:5]:
            theirs = metrics.convert_wmdp_data_to_prompt(
                row.question, row.choices, "GEMMA_INST_FORMAT", pre
            )
            assert theirs == "<bos>" + prompt(subject, row)
