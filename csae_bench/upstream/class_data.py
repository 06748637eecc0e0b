"""Passes SAE-Bench's probing evals texts and activations that they would look up by name."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator, Mapping
from typing import Any

import pandas
from sae_bench.evals.scr_and_tpp import dataset_creation
from sae_bench.evals.scr_and_tpp import main as scr_and_tpp
from sae_bench.evals.sparse_probing import probe_training
from sae_bench.sae_bench_utils import activation_collection, dataset_info, dataset_utils
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench.activations.shared import SharedPasses
from csae_bench.engines.classes.drawing import ClassTexts, PairedTexts, Quadrant
from csae_bench.errors import ConfigError, ModelError, SaeError
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.cut_passes import read_texts
from csae_bench.upstream.isolation import isolated, without_shape_checks
from csae_bench.upstream.unlearning_isolation import replaced, seeded

_TEXT, _FIRST, _SECOND = "text", "first", "second"


Texts = Mapping[str, ClassTexts] | Mapping[str, PairedTexts]
"""Datasets by name."""


@contextlib.contextmanager
def sae_bench_reads(
    texts: Texts, shared: SharedPasses, *, seed: int
) -> Generator[list[str], None, None]:
    """Let SAE-Bench's sparse_probing, tpp and scr read these datasets, each text once for all SAEs.

    Within, random's, numpy's and torch's generators start from `seed`. On leaving, also by an
    error, they, the gradient mode and SAE-Bench's modules are what they were. Yields the list of
    `isolation.isolated`.

    Args:
        shared: holds the activations, by model, hook and tokens; SAE-Bench's own cache goes by
            names alone.
    """

    def activations(
        tokenized: Any, model: HookedTransformer, batch_size: int, layer: int, hook_name: str,
        mask_bos_pad_eos_tokens: bool = False,
    ) -> dict[str, Tensor]:  # fmt: skip
        assert mask_bos_pad_eos_tokens, "SAE-Bench asks for activations of special tokens"
        return read_texts(tokenized, model, batch_size, layer, hook_name, shared)

    with (
        texts_in_place(texts),
        replaced(dataset_utils, tqdm=_no_bar),
        replaced(activation_collection, get_all_llm_activations=activations, tqdm=_no_bar),
        without_shape_checks(activation_collection, probe_training),
        seeded(seed),
        isolated() as warnings,
        contextlib.redirect_stdout(io.StringIO()),  # it prints each probe
    ):
        yield warnings


@contextlib.contextmanager
def texts_in_place(texts: Texts) -> Generator[None, None, None]:
    """Let SAE-Bench find these datasets under their names within, and any others on the hub."""
    classes = {name: read for name, read in texts.items() if isinstance(read, ClassTexts)}
    pairs = {name: read for name, read in texts.items() if isinstance(read, PairedTexts)}
    of_hub = dataset_utils.get_multi_label_train_test_data
    pairs_of_hub = dataset_creation.get_train_test_data

    def by_class(name: str, *rest: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return _of_classes(classes[name]) if name in classes else of_hub(name, *rest)

    def by_pair(name: str, spurious: bool, *rest: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if name in pairs:
            return _of_pairs(pairs[name], *rest)
        return pairs_of_hub(name, spurious, *rest)

    with (
        replaced(dataset_utils, get_multi_label_train_test_data=by_class),
        replaced(dataset_creation, get_train_test_data=by_pair),
        replaced(dataset_info, **_tables(classes, pairs)),
        replaced(scr_and_tpp, COLUMN2_VALS_LOOKUP=_second_values(classes, pairs)),
    ):
        yield


def check_model_and_sae(sae: AnySae, model: HookedTransformer, hook_name: str) -> None:
    """Check what these evals ask of the model and of the SAE's place in it.

    Raises:
        ModelError: it has no tokenizer.
        SaeError: the model has no such hook, or one that is not as wide as the model.
    """
    name = model.cfg.model_name
    if model.tokenizer is None:
        raise ModelError(f"{name} has no tokenizer; text classes are read as text.")
    if hook_name not in model.hook_dict:
        raise SaeError(
            f"The SAE's hook_name is '{hook_name}', which {name} does not have; its last "
            f"residual stream is blocks.{model.cfg.n_layers - 1}.hook_resid_post."
        )
    if hook_name.endswith("hook_z"):
        raise SaeError(
            f"The SAE's hook_name is '{hook_name}'; SAE-Bench's probing evals read one vector at "
            "each token, and hook_z has one for each head. Such an SAE has no score here."
        )
    if attributes.d_in(sae) != model.cfg.d_model:
        raise SaeError(
            f"The SAE's d_in is {attributes.d_in(sae)}; {hook_name} of {name} is "
            f"{model.cfg.d_model} wide."
        )


def check_at_most_d_sae(eval_name: str, key: str, values: tuple[int, ...], d_sae: int) -> None:
    """Check numbers of latents.

    Raises:
        ConfigError: one is larger than the SAE.
    """
    large = [value for value in values if value > d_sae]
    if large:
        raise ConfigError(
            [
                f"evals.{eval_name}.{key} has {', '.join(map(str, large))}; it must be at most "
                f"d_sae={d_sae}."
            ]
        )


def check_context(eval_name: str, context: int, model: HookedTransformer) -> None:
    """Check the length of texts.

    Raises:
        ConfigError: it is longer than the model's context.
    """
    if context > model.cfg.n_ctx:
        raise ConfigError(
            [
                f"evals.{eval_name}.context_length is {context}; it must be at most "
                f"{model.cfg.n_ctx}, the context of {model.cfg.model_name}."
            ]
        )


def _tables(
    classes: Mapping[str, ClassTexts], pairs: Mapping[str, PairedTexts]
) -> dict[str, dict[str, Any]]:
    """Return SAE-Bench's tables of datasets, with these beside its own."""
    columns = {"text_column_name": _TEXT, "column1_name": _FIRST, "column2_name": _SECOND}
    metadata: dict[str, Any] = {}
    for name, read in pairs.items():
        first = {value: value for pair in read.first_pairs for value in pair}
        second = {value: value for value in read.second}
        metadata[name] = {**columns, "column1_mapping": first, "column2_mapping": second}
    chosen = {name: list(read.train) for name, read in classes.items()}
    return {
        "chosen_classes_per_dataset": {**dataset_info.chosen_classes_per_dataset, **chosen},
        "dataset_metadata": {**dataset_info.dataset_metadata, **metadata},
    }


def _second_values(
    classes: Mapping[str, ClassTexts], pairs: Mapping[str, PairedTexts]
) -> dict[str, Any]:
    # tpp looks its datasets up here too, and reads nothing of it
    none_of_classes = dict.fromkeys(classes)
    of_pairs = {name: read.second for name, read in pairs.items()}
    return {**scr_and_tpp.COLUMN2_VALS_LOOKUP, **none_of_classes, **of_pairs}


def _of_classes(read: ClassTexts) -> tuple[dict[str, Any], dict[str, Any]]:
    train, test = (
        {name: list(texts) for name, texts in part.items()} for part in (read.train, read.test)
    )
    return train, test


def _of_pairs(
    read: PairedTexts,
    train_size: int,
    test_size: int,
    seed: int,
    first: tuple[str, str],
    second: tuple[str, str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    def balanced(rows: tuple[Quadrant, ...], size: int) -> dict[str, Any]:
        table = pandas.DataFrame(list(rows), columns=pandas.Index([_TEXT, _FIRST, _SECOND]))
        return dataset_creation.get_spurious_corr_data(
            table, first, second, read.name, size // 4, seed
        )

    return balanced(read.train, train_size), balanced(read.test, test_size)


def _no_bar(items: Any, *_: Any, **__: Any) -> Any:
    return items
