"""Writes the name of its column on every cell of a table: on a phone a row is shown as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

#: Below those of inline text, so that the texts of the headings are there.
_AFTER_INLINE = 5


class _ColumnNames(Treeprocessor):
    def run(self, root: Element) -> None:
        """Adds ``data-column`` to the cells. A cell of a column without a name gets none."""
        for table in root.iter("table"):
            names = ["".join(heading.itertext()).strip() for heading in table.iter("th")]
            for row in table.iter("tr"):
                for name, cell in zip(names, row.findall("td"), strict=False):
                    if name:
                        cell.set("data-column", name)


class ColumnNames(Extension):
    """Names the column on each cell."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Registers it."""
        md.treeprocessors.register(_ColumnNames(md), "column-names", _AFTER_INLINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds it to the extensions; MkDocs calls this."""
    config.markdown_extensions.append(ColumnNames())  # pyright: ignore[reportArgumentType]
    return config
