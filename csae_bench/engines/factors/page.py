"""Page of a heat map: a self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from csae_bench.pages import render

if TYPE_CHECKING:
    from csae_bench.factors.encoding import TopPrompt


@dataclass(frozen=True, kw_only=True)
class HeatMapRow:
    """A row of the table."""

    factor: str
    value: str
    is_first: bool
    """True for the first row of its factor."""
    cells: Sequence[float | None]
    """-1 to 1; None is left blank."""


def html_page(
    *,
    title: str,
    caption: str,
    latents: Sequence[int],
    rows: Sequence[HeatMapRow],
    prompts: Mapping[int, Sequence[TopPrompt]],
) -> str:
    """Render the table, then each latent's prompts. All text is escaped."""
    return render(
        "engines/factors/heat_map.html",
        title=title,
        caption=caption,
        latents=latents,
        rows=rows,
        prompts=prompts,
    )
