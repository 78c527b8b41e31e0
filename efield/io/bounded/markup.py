"""XML from outside: a small tree of elements, of files that declare nothing and are not nested without end."""

from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from efield.ground.errors import FileFormatError
from efield.io.bounded.cursor import Cursor

_DEEPEST: Final = 64
_MOST_ELEMENTS: Final = 4_000_000


def parse(parser: expat.XMLParserType, cursor: Cursor, data: bytes) -> None:
    """Go through the XML of a file that declares no document type, and so no entity: those can stand for gigabytes.

    Raises
    ------
    FileFormatError
        If it does, or is not XML.
    """

    def declared(*_: Any) -> None:
        raise cursor.error("XML must not declare a document type or entities; remove them")

    parser.StartDoctypeDeclHandler = declared
    try:
        parser.Parse(data, True)
    except FileFormatError:
        raise
    # An encoding that Python does not know is a LookupError; one that it cannot use a ValueError.
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise cursor.error(f"the file must be valid XML; instead: {error}; copy or save it again") from error


def markup(cursor: Cursor) -> Element:
    """The root of an XML file.

    Raises
    ------
    FileFormatError
        If the file is not XML, declares a document type, or is nested deeper than 64 elements.
    """
    parser, builder, depth, count = expat.ParserCreate(), TreeBuilder(), 0, 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > _DEEPEST or count > _MOST_ELEMENTS:
            raise cursor.error(f"XML must be at most {_DEEPEST} elements deep; instead it is nested on and on")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parse(parser, cursor, cursor.data)
    return builder.close()
