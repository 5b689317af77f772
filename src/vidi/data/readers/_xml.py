"""Small XML files as trees, with the line of every element. A DOCTYPE is refused, and with it every entity of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from vidi.errors import DataError

LIMIT = 1 << 24
DEEPEST = 50


@dataclass(slots=True)
class Element:
    """An element without its attributes."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Element]:
        return (child for child in self.children if child.tag == tag)

    def first(self, tag: str) -> Element | None:
        return next(self.all(tag), None)

    def value(self) -> Any:
        """Its text (a whole number as such), or the values of its children by tag; of several of one tag the first."""
        if not self.children:
            text = self.text.strip()
            return int(text) if text.isascii() and text.isdigit() and text == str(int(text[:18])) else text
        return {child.tag: child.value() for child in reversed(self.children)}


def load(path: Path) -> Element:
    """The root element of a file.

    Raises:
        DataError: not a regular file, larger than 16 MiB, not well-formed, nested deeper than 50, or with a DOCTYPE.
    """
    if not path.is_file():
        raise DataError("not a regular file", file=path)
    if path.stat().st_size > LIMIT:
        raise DataError("XML larger than allowed", file=path, value=f"{path.stat().st_size} bytes", fix=f"at most {LIMIT} bytes")
    top = Element("", 0)
    stack = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEEPEST:
            raise DataError("XML nested too deeply", file=path, at=f"line {parser.CurrentLineNumber}", fix=f"at most {DEEPEST} levels")
        stack.append(Element(tag, parser.CurrentLineNumber))
        stack[-2].children.append(stack[-1])

    def end(tag: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    def refuse(*parts: Any) -> None:
        raise DataError("a DOCTYPE is not read", file=path, at=f"line {parser.CurrentLineNumber}", fix="remove it: it may define entities")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise DataError(f"not XML: {expat.ErrorString(error.code)}", file=path, at=f"line {error.lineno}") from None
    except (ValueError, LookupError) as error:
        raise DataError(f"not XML: {error}", file=path) from None
    return top.children[0]
