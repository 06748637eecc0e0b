"""Which SAEs can be judged, from cfg.json alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csae_bench.saes.cfg_checks import cfg_problems
from csae_bench.saes.kinds import pretrained_refusal, refusal
from csae_bench.saes.wording import reason, shown
from tests.sae_folders import HOOK, cfg

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["topk", "standard", "relu", HOOK, "none", "float32", 10**30, -4]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [*cfg(), "d_out", "hook_name_out", "hook_names", "activation_fn_kwargs", "decoder_init_norm"]
    + [f"metadata__{name}" for name in ("hook_name", "model_name", "hook_name_out", "to_dict")]
)


@given(changes=st.dictionaries(KEYS.filter(lambda key: key != "metadata"), JSON, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_values_are_problems_in_a_sentence_or_none(changes: dict[str, Any]) -> None:
    result = cfg(**changes)
    for sentence in [*cfg_problems(result), refusal(result) or "none"]:
        assert 0 < len(sentence) < 2000
        assert sentence.isprintable()


@given(metadata=JSON)
def test_any_metadata_is_a_problem_in_a_sentence_or_none(metadata: Any) -> None:
    values = {**cfg(), "metadata": metadata}
    refusal(values)
    if not isinstance(metadata, dict):
        assert any(text.startswith("metadata is ") for text in cfg_problems(values))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"d_out": 128},
        {"d_out": None},
        {"hook_name_out": HOOK},
        {"metadata__hook_name_out": ""},
        {"metadata__hook_head_index": None},
        {"is_transcoder": False},
        {"architecture": "matching_pursuit"},
        {"metadata__hook_names": [HOOK]},
    ],
)
def test_an_sae_that_reconstructs_its_input_is_not_refused(changes: dict[str, Any]) -> None:
    assert refusal(cfg(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "reason_for_it"),
    [
        ({"architecture": "my_crosscoder"}, "crosscoder"),
        ({"architecture": "mntss_clt"}, "cross-layer transcoder"),
        ({"architecture": "Cross_Layer"}, "cross-layer transcoder"),
        ({"transcode": True}, "transcode is true"),
        ({"metadata__is_transcoder": True}, "is_transcoder is true"),
        ({"out_hook_point": "blocks.2.hook_mlp_out"}, "out_hook_point is"),
        ({"hook_layer": 2, "hook_layer_out": 3}, "hook_layer_out is 3 and hook_layer is 2"),
        ({"metadata__hook_name": None, "hook_name_out": HOOK}, "hook_name is null"),
        ({"metadata__hf_hook_name_out": "layers.2.mlp"}, "hf_hook_name_out is 'layers.2.mlp'"),
    ],
)
def test_an_sae_of_another_kind_is_refused_with_the_reason(
    changes: dict[str, Any], reason_for_it: str
) -> None:
    refused = refusal(cfg(**changes))
    assert refused is not None
    assert reason_for_it in refused
    assert "at the same hook" in refused


@pytest.mark.parametrize("folder", ["layer_12/clt/x", "transcoder_all/layer_0", "clt"])
def test_a_pretrained_name_tells_a_transcoder(folder: str) -> None:
    assert pretrained_refusal(None, folder)


@pytest.mark.parametrize("folder", ["layer_12/eclectic", "resid_post/layer_0_width_16k"])
def test_a_pretrained_name_that_only_contains_the_letters_does_not(folder: str) -> None:
    assert pretrained_refusal("gemma_3", folder) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ("a\x1b", r"'a\x1b'"),
        ("\ud800", r"'\ud800'"),
        ("x" * 99, f"'{'x' * 30}... (99 characters)'"),
        (float("nan"), "NaN"),
        ({"a": [1]}, '{"a": [1]}'),
    ],
)
def test_a_value_is_shown_short_and_printable(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_number_of_more_digits_than_python_writes_is_shown_by_its_type() -> None:
    assert shown(10**5000) == "a int"


def test_a_reason_has_neither_number_nor_path() -> None:
    assert reason(OSError(13, "Permission denied", "/x")) == "Permission denied"
    assert reason(ValueError("first line.\nsecond")) == "first line"
    assert reason(ValueError()) == "ValueError"
