"""csae_bench/cli/completing.py, and completion_names.py, which keeps what takes long."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from csae_bench.cli import completing, completion_names
from csae_bench.cli.main import main
from csae_bench.config.loading import load_config
from csae_bench.config.merging import leaves


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)


def _offered(completer: completing.Completer, incomplete: str, metavar: str = "") -> list[str]:
    option = click.Option(["--any"], metavar=metavar)
    return completer(click.Context(main), option, incomplete)


def test_configurations_are_offered_by_name_and_by_path() -> None:
    Path("custom_mine").mkdir()
    Path("custom.yaml").touch()
    Path("custom.txt").touch()
    assert _offered(completing.saes, "custom") == [
        "custom_sae", "custom_sae_small", "custom.yaml", "custom_mine/",
    ]  # fmt: skip


def test_paths_are_offered_as_they_were_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a b").mkdir()
    (tmp_path / "home" / ".hidden").mkdir()
    assert _offered(completing.paths, "~/home/") == ["~/home/a b/"]
    assert _offered(completing.paths, "~/home/.h") == ["~/home/.hidden/"]
    assert _offered(completing.paths, "nowhere/") == []


def test_an_option_that_takes_a_folder_is_offered_no_files() -> None:
    Path("file").touch()
    Path("folder").mkdir()
    assert _offered(completing.paths, "f", "DIR") == ["folder/"]
    assert _offered(completing.paths, "f", "FILE") == ["file", "folder/"]


def test_a_list_of_evals_goes_on_without_those_that_it_has() -> None:
    assert _offered(completing.evals, "m") == ["meta_structure_decoder_variance", "mig"]
    assert _offered(completing.evals, "mig,m") == ["mig,meta_structure_decoder_variance"]
    assert "all" in _offered(completing.evals, "")
    assert "mig,all" not in _offered(completing.evals, "mig,")


def test_keys_are_offered_a_level_at_a_time() -> None:
    assert "sae." in _offered(completing.settings, "s")
    assert {"sae.k=", "sae.losses."} <= {*_offered(completing.settings, "sae.")}
    assert _offered(completing.settings, "sae.losses.ro") == ["sae.losses.rows."]
    assert _offered(completing.settings, "evals.mig.n_bi") == ["evals.mig.n_bins="]
    assert _offered(completing.settings, "sae.k=") == []


@pytest.mark.parametrize("name", ["custom_sae", "contrastive_full", "smollm2", "pca", "oracle"])
def test_every_key_of_a_configuration_is_offered(name: str) -> None:
    there = completion_names.names()["set"]
    whole = load_config(name).config.model_dump(mode="json", exclude={"evals"})
    for key, value in leaves(whole):
        if value not in ({}, []) and "curriculum" not in key:
            # a block may be null, and a list has keys that are free
            assert any(f"{key}.".startswith(f"{k}.") or k.startswith(f"{key}.") for k in there), key


def test_metrics_are_offered_after_their_evals_name() -> None:
    assert "mig.value_mig" not in _offered(completing.metrics, "m")
    assert {"mig", "mig.value_mig"} <= {*_offered(completing.metrics, "mi")}
    assert _offered(completing.metrics, "mig.v") == ["mig.value_mig"]


def test_kinds_are_those_of_the_help() -> None:
    command = main.commands["list"]
    argument = next(p for p in command.params if isinstance(p, click.Argument))
    assert completing.kinds(click.Context(main), argument, "m") == ["models", "metrics"]


def test_names_are_kept_until_the_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = completion_names.names()
    kept = tmp_path / "cache" / "csae-bench" / "completion.json"
    content = json.loads(kept.read_text(encoding="utf-8"))
    content["names"]["evals"] = ["from_the_file"]
    kept.write_text(json.dumps(content), encoding="utf-8")
    assert completion_names.names()["evals"] == ["from_the_file"]
    monkeypatch.setattr(completion_names, "_made_from", lambda: "other code")
    assert completion_names.names() == first


@pytest.mark.parametrize("content", ["", "{", "[]", '{"made_from": 3}'])
def test_a_damaged_file_of_names_is_written_anew(content: str, tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "csae-bench" / "completion.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(content, encoding="utf-8")
    assert "mig" in completion_names.names()["evals"]
    assert json.loads(kept.read_text(encoding="utf-8"))["names"]["evals"]


def test_names_are_found_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a_file"))
    assert "mig" in completion_names.names()["evals"]
