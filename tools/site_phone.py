"""What a page needs on a phone, where a row of a table is a card and a long line goes on below.

Every cell gets the name of its column, and every drawing of characters its class: its lines must
stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

#: Below those of inline text, so that the texts of the headings are there.
_AFTER_INLINE = 5
_BLOCK = re.compile(r'<div class="language-text highlight">.*?</div>', re.DOTALL)
#: The characters that drawings are made of.
_LINES = re.compile("[\u2500-\u257f\u25b6\u25c0]")


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


def on_page_content(html: str, **_: Any) -> str:
    """Gives blocks with lines and arrows their class; MkDocs calls this."""
    return _BLOCK.sub(_marked, html)


def _marked(block: re.Match[str]) -> str:
    drawn = _LINES.search(block[0])
    return block[0].replace(" highlight", " highlight drawing", 1) if drawn else block[0]
