"""SAEs that csae-bench can judge: those that read one activation at one hook and reconstruct it.

The one place that decides it, from cfg.json alone; importing this imports neither torch nor
sae_lens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from csae_bench.saes.wording import shown

_SAME_AS = {
    "hook_name_out": "hook_name",
    "hook_point_out": "hook_name",
    "out_hook_point": "hook_name",
    "hf_hook_name_out": "hf_hook_name",
    "hook_layer_out": "hook_layer",
    "d_out": "d_in",
}
"""Key for the place of the output -> the key it must be equal to, if it is there."""

_MARKS_OF_TRANSCODERS = ("is_transcoder", "transcode", "skip_connection")

KEYS = (*_SAME_AS, *_SAME_AS.values(), *_MARKS_OF_TRANSCODERS, "architecture", "hook_head_index")
"""Keys by which an SAE in memory may state its kind."""

_JUDGED = "csae-bench judges SAEs that reconstruct the activation they read, at the same hook"


def refusal(cfg: Mapping[str, Any]) -> str | None:
    """Return why an SAE cannot be judged, as a sentence without a full stop; None if it can be.

    Args:
        cfg: content of cfg.json, in SAELens's form of today or before version 6.
    """
    reasons = [*dict.fromkeys(_reasons(cfg))]
    return f"{'; '.join(reasons)}. {_JUDGED}" if reasons else None


def pretrained_refusal(conversion: str | None, folder: str) -> str | None:
    """Return the same for an entry of SAELens's directory of pretrained SAEs, without downloads.

    Args:
        conversion: name of SAELens's loader of the release; none: its own form.
        folder: where in the repository the SAE lies.
    """
    names = [conversion or "", *folder.lower().split("/")]
    for mark in ("crosscoder", "transcoder", "temporal", "clt"):
        for name in names:
            if mark in name.split("_") or (mark != "clt" and mark in name):
                return f"it is a {_KINDS[mark]}. {_JUDGED}"
    return None


_KINDS = {
    "crosscoder": "crosscoder, which reads several hooks at once",
    "transcoder": "transcoder, whose output belongs at another hook than its input",
    "clt": "cross-layer transcoder, whose output belongs at other hooks than its input",
    "temporal": "temporal SAE, whose codes depend on the tokens before as well",
}


def _reasons(cfg: Mapping[str, Any]) -> Iterator[str]:
    places = [cfg]
    if isinstance(cfg.get("metadata"), Mapping):
        places.append(cfg["metadata"])
    yield from _by_architecture(cfg.get("architecture"))
    for key in _MARKS_OF_TRANSCODERS:
        for place in places:
            if place.get(key) is True:
                yield f"{key} is true: it is a {_KINDS['transcoder']}"
    for key, other in _SAME_AS.items():
        for place in places:
            value = place.get(key)
            expected = _first(places, other)
            if value in (None, "") or value == expected:
                continue
            yield f"{key} is {shown(value)} and {other} is {shown(expected)}"
    for place in places:
        yield from _several_or_parts(place)


def _by_architecture(architecture: Any) -> Iterator[str]:
    if not isinstance(architecture, str):
        return
    name = architecture.lower()
    for mark in ("crosscoder", "transcoder", "temporal"):
        if mark in name:
            yield f"architecture is {shown(architecture)}: it is a {_KINDS[mark]}"
            return
    if "clt" in name.split("_") or "cross_layer" in name:
        yield f"architecture is {shown(architecture)}: it is a {_KINDS['clt']}"


def _several_or_parts(place: Mapping[str, Any]) -> Iterator[str]:
    for key in ("hook_names", "hook_name", "hook_points", "hook_point"):
        value = place.get(key)
        if isinstance(value, list) and len(value) > 1:
            yield f"{key} lists {len(value)} hooks: it is a {_KINDS['crosscoder']}"
    for key in ("hook_head_index", "hook_point_head_index"):
        if place.get(key) is not None:
            yield (
                f"{key} is {shown(place[key])}: it reads a single attention head, and csae-bench "
                "reads all heads of a hook"
            )


def _first(places: list[Mapping[str, Any]], key: str) -> Any:
    older = {"hook_name": "hook_point"}.get(key, key)
    for name in (key, older):
        for place in reversed(places):
            if place.get(name) is not None:
                return place[name]
    return None
