"""How wide letters are: the advance widths of DejaVu Sans, in 2048ths of an em.

Figures are laid out with these wherever they are drawn, and shown in the reader's own sans-serif: few are wider.
The numbers are those of the fonts' `hmtx` tables (DejaVu 2.37), for what the book writes; the rest is taken for wide.

Not modelled: kerning (at most a pixel in a line), ligatures, writing that doesn't run from left to right.
"""

from __future__ import annotations

import functools

EM = 2048
MONO = 1233  # every letter of DejaVu Sans Mono
UNKNOWN = 1800

_REGULAR = {
    563: "'",
    569: "ijlìíîï",
    604: "IJÌÍÎÏ",
    651: " ,.\u00a0·‘’",
    690: "/:;\\|¦",
    721: "f",
    739: "-\u00ad",
    799: "()[]",
    803: "t",
    821: "!¡²³¹",
    842: "r",
    942: '"',
    965: "ªº",
    1024: "*_`§¨¯°´¸–",
    1061: "“”",
    1067: "s",
    1075: "z",
    1087: "?¿",
    1126: "cç",
    1141: "L",
    1178: "F",
    1186: "k",
    1212: "vxyýÿ",
    1233: "│─├└┌┐┘",
    1235: "P",
    1239: "Þ",
    1251: "TYÝ",
    1253: "o«»ðòóôõöø",
    1255: "aàáâãäå",
    1260: "eèéêë",
    1290: "ß",
    1294: "EÈÉÊË",
    1298: "hnuñùúûü",
    1300: "Sbdgpqþ",
    1303: "$0123456789{}¢£¤¥µ¶",
    1343: "K",
    1401: "AVÀÁÂÃÄÅ",
    1403: "XZ",
    1405: "B",
    1423: "R",
    1430: "CÇ",
    1499: "UÙÚÛÜ",
    1532: "NÑ",
    1540: "H",
    1575: "▲►▼◄◆",
    1577: "D",
    1587: "GÐ",
    1597: "&",
    1612: "OQÒÓÔÕÖØ",
    1675: "w",
    1706: "∞",
    1716: "#+<=>^~¬±×÷←→↑↓↔⇄≠≤≥−⊘✓✕✗",
    1767: "M",
    1780: "⬟",
    1787: "●○",
    1788: "⬢",
    1836: "⚠",
    1935: "■",
    1946: "%",
    1985: "¼½¾",
    1995: "mÆ",
    2011: "æ",
    2025: "W",
    2048: "@©®—…",
    2748: "‰",
}
_BOLD = {
    627: "'",
    702: "ijlìíîï",
    713: " \u00a0",
    748: "/\\|¦",
    762: "IJÌÍÎÏ",
    778: ",.·‘’",
    819: ":;",
    850: "-\u00ad",
    891: "f",
    897: "²³¹",
    934: "!¡",
    936: "()[]",
    979: "t",
    1010: "r",
    1024: "_`§¨¯°´¸–",
    1067: '"',
    1071: "*",
    1155: "ªº",
    1188: "?¿",
    1192: "z",
    1214: "cç",
    1219: "s",
    1233: "│─├└┌┐┘",
    1303: "¤¶",
    1305: "L",
    1321: "x",
    1323: "«»",
    1335: "vyýÿ",
    1346: "“”",
    1362: "k",
    1382: "aàáâãäå",
    1389: "eèéêë",
    1397: "T",
    1399: "EFÈÉÊË",
    1407: "oðòóôõöø",
    1425: "$0123456789¢£¥",
    1458: "hnu{}ñùúûü",
    1466: "bdgpqþ",
    1473: "ß",
    1475: "S",
    1483: "YÝ",
    1485: "Z",
    1501: "P",
    1503: "CÇ",
    1507: "µ",
    1511: "Þ",
    1561: "B",
    1575: "▲►▼◄◆",
    1577: "R",
    1579: "X",
    1585: "AVÀÁÂÃÄÅ",
    1587: "K",
    1663: "UÙÚÛÜ",
    1681: "G",
    1700: "D",
    1706: "∞",
    1714: "HNÑ",
    1716: "#+<=>^~¬±Ð×÷←→↑↓↔⇄≠≤≥−⊘✓✕✗",
    1741: "OQÒÓÔÕÖØ",
    1780: "⬟",
    1786: "&",
    1787: "●○",
    1788: "⬢",
    1836: "⚠",
    1892: "w",
    1935: "■",
    2038: "M",
    2048: "@©®—…",
    2052: "%",
    2120: "¼½¾",
    2134: "m",
    2146: "æ",
    2222: "Æ",
    2259: "W",
    2949: "‰",
}
_ADVANCES = {
    bold: {letter: advance for advance, letters in widths.items() for letter in letters}
    for bold, widths in ((False, _REGULAR), (True, _BOLD))
}


@functools.lru_cache(maxsize=4096)
def width_of(text: str, size: float, bold: bool = False, mono: bool = False) -> float:
    """How wide a text is, in pixels, at a size in pixels.

    >>> width_of("10.0.32.11", 10, mono=True) == 10 * width_of("0", 10, mono=True)
    True
    """
    advances = _ADVANCES[bold]
    return size / EM * (MONO * len(text) if mono else sum(advances.get(letter, UNKNOWN) for letter in text))
