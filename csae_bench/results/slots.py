"""Places of an eval's results, so that one under other conditions replaces none.

The first result of an SAE is `<eval>/<release>_<sae_id>_eval_results.json`. One that was measured
under other settings, data or eval seed lies next to it as
`<release>_<sae_id>_<8 hex digits>_eval_results.json`; the digits are a hash of what differs from
the first. Both have the same `sae_lens_id`. A result is replaced only by one that was measured
under the same conditions: of an SAE that was trained again, by other versions, or with `--force`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from csae_bench.config.loading import leaves
from csae_bench.errors import ResultError
from csae_bench.results.keys import differences, digest
from csae_bench.results.store import Store, read_json
from csae_bench.support import old_names

Conditions = Mapping[str, Any]
"""Conditions of a result, without weights and versions: `settings`, `seed`, `data`, ..."""

_VARIANT = re.compile(r"_([0-9a-f]{8})_eval_results\.json$")


@dataclass(frozen=True, kw_only=True)
class Slot:
    """The place of one result."""

    eval_name: str
    path: Path
    artifacts: Path
    variant: str | None = None
    """8 hex digits of what differs from the SAE's first result; None for that one."""
    differs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Dotted condition -> its value here, of those that differ from the first result's."""
    present: Mapping[str, Any] | None = None
    """The result that lies there, measured under the same conditions."""

    @property
    def cell(self) -> str:
        """Name of the result's cell in the run record: the eval's, then the variant."""
        return self.eval_name if self.variant is None else f"{self.eval_name}_{self.variant}"

    @property
    def key(self) -> str | None:
        """Key of the result that lies there; None if there is none."""
        return None if self.present is None else provenance_of(self.present).get("key")


def find_slot(
    store: Store, eval_name: str, release: str, sae_id: str, conditions: Conditions
) -> Slot:
    """Return the place of a result: where one of the same conditions lies, or else a free one."""

    def slot(variant: str | None, present: Mapping[str, Any] | None = None) -> Slot:
        differs = {} if variant is None or first is None else _differing(first, conditions)
        return Slot(
            eval_name=eval_name,
            path=store.eval_result(eval_name, release, sae_id, variant),
            artifacts=store.artifacts(eval_name, release, sae_id, variant),
            variant=variant,
            differs=differs,
            present=present,
        )

    first = _readable(store.eval_result(eval_name, release, sae_id))
    if first is not None and not _differing(first, conditions):
        return slot(None, first)
    for variant, result in _variants(store, eval_name, release, sae_id):
        if not _differing(result, conditions):
            return slot(variant, result)
    if first is None:
        return slot(None)
    digits = digest(_differing(first, conditions))[:8]
    if store.eval_result(eval_name, release, sae_id, digits).exists():
        # left from before the first result was deleted and measured under other conditions
        digits = digest(conditions)[:8]
    return slot(digits)


def provenance_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return `eval_result_unstructured.provenance`; empty if a result has none."""
    unstructured = result.get("eval_result_unstructured")
    if not isinstance(unstructured, dict):
        return {}
    provenance = cast(dict[str, Any], unstructured).get("provenance")
    return cast(dict[str, Any], provenance) if isinstance(provenance, dict) else {}


def seconds_last_time(store: Store, eval_name: str) -> float | None:
    """Return the wall time of the eval's newest result, of any SAE; None if there is none."""
    try:
        newest = max(
            store.eval_results(eval_name), key=lambda path: path.stat().st_mtime, default=None
        )
        result = None if newest is None else read_json(newest)
    except (OSError, ResultError):  # it only serves an estimate
        return None
    seconds = provenance_of(result or {}).get("wall_seconds")
    return float(seconds) if isinstance(seconds, int | float) else None


def _variants(
    store: Store, eval_name: str, release: str, sae_id: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield digits and content of the results next to the SAE's first."""
    first = store.eval_result(eval_name, release, sae_id)
    try:
        names = sorted(entry.name for entry in first.parent.iterdir())
    except OSError:  # no result yet
        return
    for name in names:
        match = _VARIANT.search(name)
        if match is None or store.eval_result(eval_name, release, sae_id, match[1]).name != name:
            continue
        result = _readable(first.with_name(name))
        # else another SAE, whose id ends in 8 hex digits
        if result is not None and result.get("sae_lens_id") == sae_id:
            yield match[1], result


def _readable(path: Path) -> dict[str, Any] | None:
    """Return the result in `path`; None if there is none or it is damaged."""
    try:
        return old_names.of_result(read_json(path))
    except ResultError:
        return None


def _differing(result: Mapping[str, Any], conditions: Conditions) -> dict[str, Any]:
    """Return dotted condition -> the value in `conditions` of those that `result` differs in."""
    provenance = provenance_of(result)
    measured = provenance.get("conditions")
    if not isinstance(measured, dict):  # of a version that did not write them
        measured = {"settings": provenance.get("eval_settings"), "seed": provenance.get("seed")}
        known = dict(leaves(measured))
        conditions = {key: value for key, value in leaves(conditions) if key in known}
    changed = differences(cast(dict[str, Any], measured), conditions)
    return {key: after for key, (_, after) in changed.items()}
