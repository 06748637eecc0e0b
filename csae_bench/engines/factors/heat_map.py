"""Heat maps of latents against factor values, as a picture and as a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from csae_bench.engines.factors.page import HeatMapRow, html_page
from csae_bench.engines.factors.samples import Samples
from csae_bench.errors import ResultError
from csae_bench.results.store import write_text

PNG, HTML = "heat_map.png", "heat_map.html"
MAX_LATENTS = 96
MAX_ROWS = 256
N_PROMPTS = 8

_CELL = 0.22
"""Inches of a cell in the picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatMap:
    """Rows of factor values, or of factors, against latents."""

    title: str
    caption: str
    """Meaning of a cell, in a sentence or two."""
    rows: tuple[tuple[str, str], ...]
    """Factor and value of each row; the value is empty where a row is a whole factor."""
    latents: tuple[int, ...]
    cells: Float[NDArray[Any], "n_rows n_latents"]
    """0 to 1, or -1 to 1 where any is negative; NaN is left blank."""


def shown_latents(wanted: Iterable[int | None]) -> tuple[int, ...]:
    """Return the latents that a heat map shows: each once, in order, at most `MAX_LATENTS`."""
    return tuple(dict.fromkeys(latent for latent in wanted if latent is not None))[:MAX_LATENTS]


def value_rows(samples: Samples) -> tuple[tuple[str, str], ...]:
    """Factor and value of each column of `Factors.one_hot`."""
    factors = samples.factors
    return tuple(
        (name, value)
        for name, values in zip(factors.names, factors.value_names, strict=True)
        for value in values
    )


def write_heat_map(heat_map: HeatMap, samples: Samples, folder: Path) -> list[str]:
    """Write the picture and the page and return their names; none if no latent is shown.

    Raises:
        ResultError: the folder cannot be written.
    """
    if not heat_map.latents or not heat_map.rows:
        return []
    shown = _cut(heat_map)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _draw(shown, folder / PNG)
        write_text(folder / HTML, _page(shown, samples))
    except OSError as error:
        raise ResultError(
            f"{folder}: cannot be written: {error.strerror}. Free space there, or name another "
            "folder with --results."
        ) from error
    return [PNG, HTML]


def _cut(heat_map: HeatMap) -> HeatMap:
    if len(heat_map.rows) <= MAX_ROWS:
        return heat_map
    return HeatMap(
        title=heat_map.title,
        caption=f"{heat_map.caption} The first {MAX_ROWS} of {len(heat_map.rows)} rows.",
        rows=heat_map.rows[:MAX_ROWS],
        latents=heat_map.latents,
        cells=heat_map.cells[:MAX_ROWS],
    )


def _draw(heat_map: HeatMap, path: Path) -> None:
    # not pyplot, which keeps every figure and picks a window system
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n_rows, n_latents = heat_map.cells.shape
    labels = [_label(row) for row in heat_map.rows]
    left = 0.08 * max(map(len, labels)) + 0.3
    width, height = left + _CELL * n_latents + 1.3, _CELL * n_rows + 1.8
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes(
        (left / width, 0.8 / height, _CELL * n_latents / width, _CELL * n_rows / height)
    )
    is_signed = bool((np.nan_to_num(heat_map.cells) < 0).any())
    image = axes.imshow(
        heat_map.cells,
        cmap="RdBu" if is_signed else "Blues",
        vmin=-1 if is_signed else 0,
        vmax=1,
        aspect="auto",
    )
    axes.set_xticks(range(n_latents), [str(latent) for latent in heat_map.latents], rotation=90)
    axes.set_yticks(range(n_rows), labels)
    axes.tick_params(labelsize=7, length=0)
    axes.set_xlabel("latent", fontsize=8)
    for row in _first_rows(heat_map)[1:]:
        axes.axhline(row - 0.5, color="0.6", linewidth=0.6)
    # names with a dollar sign are no formulas
    axes.set_title(heat_map.title, fontsize=9, loc="left", parse_math=False)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02).ax.tick_params(labelsize=7)
    figure.savefig(path, dpi=120, bbox_inches="tight", metadata={"Software": None})


def _page(heat_map: HeatMap, samples: Samples) -> str:
    starts = set(_first_rows(heat_map))
    return html_page(
        title=heat_map.title,
        caption=heat_map.caption,
        latents=heat_map.latents,
        rows=[
            HeatMapRow(
                factor=factor,
                value=value,
                is_first=number in starts,
                cells=[None if np.isnan(cell) else float(cell) for cell in heat_map.cells[number]],
            )
            for number, (factor, value) in enumerate(heat_map.rows)
        ],
        prompts={latent: samples.top_prompts(latent, N_PROMPTS) for latent in heat_map.latents},
    )


def _label(row: tuple[str, str]) -> str:
    return ": ".join(part for part in row if part)


def _first_rows(heat_map: HeatMap) -> list[int]:
    """Return the rows at which another factor begins."""
    names = [factor for factor, _ in heat_map.rows]
    return [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
