"""Names of SAELens's directory of pretrained SAEs, without a network."""

from pathlib import Path

import pytest

from csae_bench.errors import SaeError
from csae_bench.saes.loading import load_sae
from csae_bench.saes.pretrained import is_pretrained_name


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_a_name_has_a_colon_and_is_no_path(tmp_path: Path) -> None:
    assert is_pretrained_name("gpt2-small-res-jb:blocks.8.hook_resid_pre")
    assert not is_pretrained_name("a/folder")
    assert not is_pretrained_name(Path("a:b"))
    (tmp_path / "a:b").mkdir()
    assert not is_pretrained_name(str(tmp_path / "a:b"))


def test_an_unknown_release_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SaeError, match=r"'gpt2-small-res-jp'. Did you mean 'gpt2-small-res-jb'"):
        load_sae("gpt2-small-res-jp:blocks.8.hook_resid_pre")


def test_an_unknown_sae_of_a_release_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SaeError, match=r"has no SAE 'blocks.8.hook_resid'. Did you mean 'blocks"):
        load_sae("gpt2-small-res-jb:blocks.8.hook_resid")


@pytest.mark.parametrize(
    "name", ["gpt2-small-res-jb:blocks.8.hook_resid_pre", "someone/some-saes:layer_3"]
)
def test_a_pretrained_sae_without_a_network_is_an_error_that_says_so(name: str) -> None:
    with pytest.raises(SaeError, match=f"{name} is neither in the Hugging Face cache"):
        load_sae(name)
