"""The hook of mkdocs.yml: pages that are made of the code, and pages that lie outside docs/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.handbook.generated import generated_pages
from experiments.handbook.links import relinked

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parents[2]

OUTSIDE = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Page in the repository -> its page in the site."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the navigation of the folders that hold generated pages."""
    names = list(generated_pages())
    config.nav = [_filled(entry, names) for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and those that lie outside docs/."""
    from mkdocs.structure.files import File

    texts = generated_pages()
    texts |= {page: (_ROOT / name).read_text(encoding="utf-8") for name, page in OUTSIDE.items()}
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    name = page.file.src_uri
    sources = {to: source for source, to in OUTSIDE.items()}
    return relinked(markdown, source=sources.get(name, f"docs/{name}"), page=name, outside=OUTSIDE)


def on_post_build(config: MkDocsConfig) -> None:
    """Write the search index as a script, which the theme asks for where a page is on the disk."""
    folder = Path(config.site_dir) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")


def _filled(entry: Any, names: list[str]) -> Any:
    """Replace a folder of generated pages, `evals/`, by its pages, the index first."""
    if not isinstance(entry, dict):
        return entry
    ((title, of_title),) = entry.items()
    if isinstance(of_title, str) and of_title.endswith("/"):
        return {title: [name for name in names if name.startswith(of_title)]}
    return entry
