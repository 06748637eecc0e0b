"""Description of folders that hold no SAE of a known form. No pickle is ever opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from csae_bench.saes.folder import CFG_FILENAME, WEIGHTS_FILENAME
from csae_bench.saes.foreign.form import Form, entries, json_object
from csae_bench.saes.wording import shown

_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")


def unrecognised(folder: Path, forms: Sequence[Form]) -> list[str]:
    """Say what a folder holds instead of an SAE, and a remedy; empty where that is not known."""
    if (folder / CFG_FILENAME).exists():
        return []  # it will be told what is wrong with it
    config = json_object(folder / "config.json")
    if config is not None and ("model_type" in config or "architectures" in config):
        return [
            f"{folder} holds a language model (config.json with model_type "
            f"{shown(config.get('model_type'))}), not an SAE; a model is named with --model."
        ]
    return [*_nested(folder, forms), *_unreadable(folder)][:1]


def pickles(folder: Path) -> list[str]:
    """List the names of the torch pickles in a folder."""
    return [name for name in entries(folder) if name.endswith(_PICKLES)]


def _nested(folder: Path, forms: Sequence[Form]) -> Iterator[str]:
    """Report SAEs in subfolders: sparsify's `layers.5`, or several checkpoints."""
    form_of: dict[str, str] = {}
    for name in entries(folder):
        below = folder / name
        for place in (below, below / "inference"):
            if not place.is_dir():
                continue
            form = next((form.name for form in forms if form.recognises(place)), None)
            if form is None and {CFG_FILENAME, WEIGHTS_FILENAME} <= {*entries(place)}:
                form = "SAELens"
            if form is not None:
                form_of[name] = form
                break
    if form_of:
        form = next(iter(form_of.values()))
        yield (
            f"{folder} holds no SAE itself; {len(form_of)} of its folders do, in {form}'s form: "
            f"{_some(sorted(form_of))}. Name one of them."
        )


def _unreadable(folder: Path) -> Iterator[str]:
    remedy = (
        "Save its arrays with numpy.savez or safetensors, as the README says under --sae, or fill "
        "an SAE of SAELens with them and pass the folder that its save_model writes"
    )
    names = entries(folder)
    if pickled := pickles(folder):
        yield (
            f"{folder} holds torch pickles ({_some(pickled)}) and nothing that says what they are; "
            f"csae-bench opens no pickle but dictionary_learning's ae.pt. {remedy}."
        )
    elif arrays := [name for name in names if name.endswith(".npy")]:
        yield f"{folder} holds single arrays ({_some(arrays)}). {remedy}."


def _some(names: list[str]) -> str:
    first = ", ".join(shown(name).strip("'") for name in names[:3])
    return first + (f" and {len(names) - 3} more" if len(names) > 3 else "")
