"""A small writer of SVG: rectangles, lines and words in named colours, light and dark."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

_COLOURS = {
    # class: (light, dark)
    "page": ("#ffffff", "#0d1117"),
    "text": ("#1f2328", "#e6edf3"),
    "faint": ("#57606a", "#9da7b3"),
    "rule": ("#d0d7de", "#30363d"),
    "good": ("#1a7f37", "#3fb950"),
    "bad": ("#cf222e", "#f85149"),
    "blue": ("#0969da", "#58a6ff"),
    "amber": ("#bf8700", "#d29922"),
    "purple": ("#8250df", "#bc8cff"),
    "teal": ("#1b7c83", "#39c5cf"),
    "pink": ("#bf3989", "#f778ba"),
    "grey": ("#8c959f", "#6e7681"),
}
_FONT = 'font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'


@dataclass
class Drawing:
    """A picture of this size in pixels; ``title`` and ``about`` are read to those who cannot see it."""

    width: int
    height: int
    title: str
    about: str
    _parts: list[str] = field(default_factory=list)

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        size = f'width="{max(width, 0):.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" {size}/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, *, thick: float = 1) -> None:
        """A straight line."""
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self._parts.append(f'<line class="{colour}-line" {ends} stroke-width="{thick:g}"/>')

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """A filled circle."""
        self._parts.append(f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>')

    def words(
        self, x: float, y: float, words: str, *, colour: str = "text", size: float = 12, anchor: str = "start"
    ) -> None:
        """A line of text; ``anchor`` is start, middle or end."""
        where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
        self._parts.append(f'<text class="{colour}" {where}>{escape(words)}</text>')

    def svg(self) -> str:
        """The file's text."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="desc">{escape(self.about)}</desc>',
            f"<style>text {{ {_FONT} }}",
            *_rules(0),
            "@media (prefers-color-scheme: dark) {",
            *_rules(1),
            "}</style>",
            f'<rect class="page" width="{self.width}" height="{self.height}" rx="8"/>',
            *self._parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"


def _rules(index: int) -> list[str]:
    return [
        f".{name} {{ fill: {colours[index]} }} .{name}-line {{ stroke: {colours[index]} }}"
        for name, colours in _COLOURS.items()
    ]
