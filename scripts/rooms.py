"""Draws the rooms of the project and the imports between them, as they are.

    python scripts/rooms.py [docs/images/rooms.svg]

A room is a top-level package, with its folders. An arrow means that files of one room import from another;
what arrows lead to by way of a third room is only listed. Standard library only.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = (
    ("postledger",),
    ("web", "processor"),
    ("application",),
    ("projections",),
    ("storage", "mail"),
    ("domain",),
)
"""As the import contracts in setup.cfg have them, the one that may import all others first."""

WIDTH, HEIGHT, GAP, MARGIN = 420, 92, 40, 24
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2933 }
    .name { font-weight: 600; font-size: 15px }
    .folders { fill: #52606d; font-size: 12px }
    .imports { fill: #52606d; font-size: 11px; text-anchor: end }
    rect { fill: #f5f7fa; stroke: #9aa5b1; rx: 8px }
    path { fill: none; stroke: #627d98; stroke-width: 1.4; marker-end: url(#tip) }
    marker path { fill: #627d98; stroke: none; marker-end: none }
    @media (prefers-color-scheme: dark) {
        text { fill: #e4e7eb } .folders, .imports { fill: #9aa5b1 } rect { fill: #1f2933; stroke: #616e7c }
        path { stroke: #829ab1 } marker path { fill: #829ab1 }
    }
"""


def main(picture: Path) -> None:
    picture.write_text(drawn())


def drawn() -> str:
    """The picture as SVG."""
    places = {room: place for layer in range(len(LAYERS)) for room, place in placed(layer)}
    size = f"0 0 {2 * WIDTH + 3 * MARGIN} {len(LAYERS) * (HEIGHT + GAP)}"
    imports = imports_of()
    parts = [arrow(places[one], places[other]) for one, other in direct(imports)]
    parts += [box(room, *place, sorted(imports[room])) for room, place in places.items()]
    tip = 'id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img"'
            ' aria-label="The rooms of the project and the imports between them">',
            f"<style>{STYLE}</style>",
            f'<defs><marker {tip}><path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
            *parts,
            "</svg>",
            "",
        ]
    )


def placed(layer: int) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """Each room of a layer with its left, top and width; one that is alone is as wide as two."""
    rooms, top = LAYERS[layer], MARGIN // 2 + layer * (HEIGHT + GAP)
    for place, room in enumerate(rooms):
        alone = len(rooms) == 1
        yield room, (MARGIN + place * (WIDTH + MARGIN), top, 2 * WIDTH + MARGIN if alone else WIDTH)


def box(room: str, left: int, top: int, width: int, imports: list[str]) -> str:
    purpose = (ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or "").split("\n\n")[0]
    lines = [purpose.replace("\n", " ").split(":")[0].split(". ")[0].rstrip("."), *folders(room, width)]
    told = f"imports {', '.join(imports)}" if imports else "imports none of the others"
    text = [
        f'<text class="name" x="{left + 14}" y="{top + 24}">{room}/</text>',
        f'<text class="imports" x="{left + width - 14}" y="{top + HEIGHT - 12}">{told}</text>',
    ]
    for number, line in enumerate(lines):
        kind = ' class="folders"' if number else ""
        text.append(f'<text{kind} x="{left + 14}" y="{top + 46 + 17 * number}">{escape(line)}</text>')
    return f'<rect x="{left}" y="{top}" width="{width}" height="{HEIGHT}" rx="8"/>' + "".join(text)


def folders(room: str, width: int) -> list[str]:
    """The names of its folders, in lines that fit."""
    names = sorted(path.parent.name for path in (ROOT / room).glob("*/__init__.py"))
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) + 3 > width / 6.6:
            lines.append("")
        lines[-1] += (" · " if lines[-1] else "") + name
    return lines[:2]


def arrow(start: tuple[int, int, int], end: tuple[int, int, int]) -> str:
    """From the lower edge of one room to the upper edge of the other."""
    (left, top, width), (left2, top2, width2) = start, end
    narrow, span = (left, width) if width <= width2 else (left2, width2)
    x = narrow + span // 2
    return f'<path d="M{x},{top + HEIGHT} L{x},{top2 - 2}"/>'


def direct(imports: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that no way through a third room replaces."""
    return sorted(
        (room, other)
        for room, others in imports.items()
        for other in others
        if not any(other in imports[third] for third in others - {other})
    )


def imports_of() -> dict[str, set[str]]:
    """For each room the other ones that it imports from."""
    rooms = {room for layer in LAYERS for room in layer}
    return {
        room: {other for path in (ROOT / room).rglob("*.py") for other in imported(path)} & rooms - {room}
        for room in rooms
    }


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)


if __name__ == "__main__":
    if any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit(__doc__)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "rooms.svg")
