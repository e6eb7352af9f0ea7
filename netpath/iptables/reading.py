"""Reading one rule, as a person or iptables-save writes it.

Options are read by table: each match and target has its options, how many words follow them and
whether `!` may stand before them, and a function that makes the value of what was given. The rest is what
iptables does: an option belongs to what was loaded last, `-p tcp` loads `-m tcp` when one of its options
comes, an option may be cut short as long as it stays clear which one it is, comma lists of addresses make
several rules. Also read is the negation of old dumps, `--dport ! 80`.

Not modelled: host and network names (nothing is looked up), service names beyond the common ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from netpath.errors import InputError
from netpath.iptables.matches import (
    Destination,
    Fragment,
    Interface,
    Match,
    ProtocolIs,
    Source,
)
from netpath.iptables.options import (
    MATCHES,
    TARGETS,
    Extension,
    Given,
)
from netpath.iptables.tables import Counters, Rule
from netpath.iptables.targets import ACCEPT, DROP, Jump, Reject, Return, Standard, Target, Translation
from netpath.iptables.values import address_and_mask, protocol_name

_HEADER = {
    name: names[0]
    for names in (
        ("-A", "--append"),
        ("-s", "--source", "--src"),
        ("-d", "--destination", "--dst"),
        ("-i", "--in-interface"),
        ("-o", "--out-interface"),
        ("-p", "--protocol", "--proto"),
        ("-m", "--match"),
        ("-j", "--jump"),
        ("-g", "--goto"),
        ("-f", "--fragment"),
        ("-c", "--set-counters"),
        ("-4", "--ipv4"),
    )
    for name in names
}
_FLAGS = {"-f", "-4"}
_NEGATABLE = {"-s", "-d", "-i", "-o", "-p", "-f"}
_STANDARD = {"ACCEPT": ACCEPT, "DROP": DROP, "QUEUE": Standard("QUEUE"), "RETURN": Return()}
_WITH_PORTS = {"tcp", "udp", "udplite", "sctp", "dccp"}


def parse_rule(text: str) -> Rule:
    """The rule that a line says: `-A CHAIN …`, or its matches and target alone. Raises `InputError`.

    >>> print(parse_rule('-A KUBE-SVC-X -m comment --comment "shop/web:http" -p tcp --dport 80 -j KUBE-SEP-1'))
    -A KUBE-SVC-X -p tcp -m comment --comment "shop/web:http" -m tcp --dport 80 -j KUBE-SEP-1
    """
    rules = parse_rules(text)
    if len(rules) != 1:
        raise InputError("several rules in one, by a list of addresses", value=text, expected="one rule")
    return rules[0]


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rule that a line says, or all that it stands for if it lists addresses. Raises `InputError`."""
    reader = _Reader(split_words(text))
    reader.read()
    return reader.rules(text)


def split_words(text: str) -> list[str]:
    """A line's words, as iptables-restore divides it: only `"` quotes, and only there does `\\` escape.

    >>> split_words(r'-m comment --comment "say \\"hi\\""')
    ['-m', 'comment', '--comment', 'say "hi"']
    """
    if '"' not in text:
        return text.split()
    return (None if "\\" in text else _split_plain(text)) or _split_quoted(text)


def _split_plain(text: str) -> list[str] | None:
    """The usual case, quickly: whole words in quotes, nothing escaped. None if it isn't that."""
    words: list[str] = []
    pieces = text.split('"')
    for number, piece in enumerate(pieces):
        if number & 1:
            words.append(piece)
            continue
        if (number and piece and piece[0] != " ") or (number + 1 < len(pieces) and piece[-1:] != " "):
            return None
        words += piece.split()
    return words if len(pieces) & 1 else None


_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)|(\s+)|(")', re.DOTALL)


def _split_quoted(text: str) -> list[str]:
    words: list[str] = []
    open_word = False
    for piece in _PIECE.finditer(text):
        inside, plain, _, stray = piece.groups()
        if stray:
            raise InputError("a quote that doesn't end", value=text, expected='a closing "')
        if inside is None and plain is None:
            open_word = False
            continue
        part = plain if plain is not None else re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL)
        if open_word:
            words[-1] += part
        else:
            words.append(part)
        open_word = True
    return words


class _Reader:
    """One rule being read: its words, the header options, and what was loaded by `-m` and `-j`."""

    __slots__ = ("goto", "header", "loaded", "negated", "position", "target", "words")

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.position = 0
        self.negated = False
        self.header: dict[str, tuple[bool, str]] = {}
        self.loaded: list[tuple[Extension, list[Given]]] = []
        self.target: str | None = None
        self.goto = False

    def read(self) -> None:
        words = self.words
        while self.position < len(words):
            word = words[self.position]
            self.position += 1
            short = _HEADER.get(word)
            if short is not None:
                self._header(short)
            elif word == "!":
                self._negate()
            else:
                self._option(word)
        if self.negated:
            raise InputError("nothing to negate", value="!", expected="an option after it")

    def _negate(self) -> None:
        if self.negated:
            raise InputError("negated twice", value="! !", expected="one !")
        self.negated = True

    def _word(self, option: str) -> str:
        if self.position >= len(self.words):
            raise InputError("a value is missing", value=option, expected="a word after the option")
        self.position += 1
        return self.words[self.position - 1]

    def _value(self, option: str, negatable: bool) -> str:
        word = self._word(option)
        if word == "!" and negatable and not self.negated:  # as iptables-save wrote it until 1.4.2
            self.negated = True
            return self._word(option)
        return word

    def _header(self, option: str) -> None:
        if self.negated and option not in _NEGATABLE:
            raise InputError("can't be negated", value=f"! {option}", expected=f"one of {sorted(_NEGATABLE)}")
        if option == "-m":
            self._match(self._word(option))
        elif option in ("-j", "-g"):
            self._target(option, self._word(option))
        elif option == "-c":
            self.header["-c"] = (False, f"[{self._word(option)}:{self._word(option)}]")
        elif option in self.header:
            raise InputError("given twice", value=option, expected="it once")
        else:
            value = "" if option in _FLAGS else self._value(option, option in _NEGATABLE)
            self.header[option] = (self.negated, value)
        self.negated = False

    def _match(self, name: str) -> None:
        extension = MATCHES.get(name)
        if extension is None:
            raise InputError("a match that netpath doesn't know", value=f"-m {name}", expected=", ".join(MATCHES))
        self.loaded.append((extension, []))

    def _target(self, option: str, name: str) -> None:
        if self.target is not None:
            raise InputError("two targets", value=f"{option} {name}", expected="one -j or -g")
        self.target = name
        self.goto = option == "-g"
        extension = None if self.goto else TARGETS.get(name)
        if extension is not None:
            self.loaded.append((extension, []))

    def _option(self, word: str) -> None:
        for extension, given in reversed(self.loaded):
            option = extension.options.get(word)
            if option is not None:
                self._take(given, *option)
                return
        if not self._unusual(word):
            raise InputError("an option that nothing here has", value=word, expected=self._known())

    def _take(self, given: list[Given], name: str, words: int, negatable: bool) -> None:
        value = self._value(name, negatable) if words else ""
        if words == 2:
            value = f"{value} {self._word(name)}"
        if self.negated and not negatable:
            raise InputError("can't be negated", value=f"! {name}", expected=f"{name} alone")
        given.append((name, self.negated, value))
        self.negated = False

    def _known(self) -> str:
        names = [f"{extension.name} ({' '.join(extension.options)})" for extension, _ in self.loaded]
        return f"options of {', '.join(names)}" if names else "-m before an option of a match"

    def _unusual(self, word: str) -> bool:
        """Read again what is written in another way: `--dport=80`, `-ptcp`, an abbreviation, `-p tcp` without -m."""
        name, equals, value = word.partition("=")
        if word.startswith("--") and equals:
            return self._instead([name, value])
        if not word.startswith("--") and word[:2] in _HEADER and len(word) > 2:
            return self._instead([word[:2], word[2:]])
        if not word.startswith("--"):
            raise InputError("a word that belongs to no option", value=word, expected="an option")
        full = {
            option[0]
            for extension, _ in self.loaded
            for key, option in extension.options.items()
            if key.startswith(word)
        }
        if len(full) == 1:
            return self._instead([full.pop()])
        return not full and self._load_protocol(word)

    def _instead(self, words: list[str]) -> bool:
        self.position -= 1
        self.words[self.position : self.position + 1] = words
        return True

    def _load_protocol(self, word: str) -> bool:
        _, protocol = self.header.get("-p", (False, ""))
        name = protocol_name(protocol) if protocol else ""
        extension = MATCHES.get(name) if name in ("tcp", "udp", "sctp", "icmp") else None
        if extension is None or any(extension is other for other, _ in self.loaded):
            return False
        if not any(option.startswith(word) for option in extension.options):
            return False
        self.loaded.append((extension, []))
        return self._instead([word])

    def rules(self, text: str) -> tuple[Rule, ...]:
        header = self.header
        sources, destinations = self._addresses("-s"), self._addresses("-d")
        tail, target = self._tail()
        chain = header["-A"][1] if "-A" in header else ""
        counters = parse_counters(header["-c"][1]) if "-c" in header else None
        if len(sources) == 1 and len(destinations) == 1:
            return (Rule(chain, (*sources[0], *destinations[0], *tail), target, text, counters),)
        return tuple(
            Rule(chain, (*source, *destination, *tail), target, "", counters)
            for source in sources
            for destination in destinations
        )

    def _addresses(self, option: str) -> Sequence[tuple[Match, ...]]:
        if option not in self.header:
            return ((),)
        negated, value = self.header[option]
        return _addresses(option, negated, value)

    def _tail(self) -> tuple[list[Match], Target | None]:
        """Every match after the addresses, in order, and the target."""
        header, matches, target = self.header, list[Match](), None
        for option in ("-i", "-o"):
            if option in header:
                matches += _interface(option, *header[option])
        protocol = ""
        if "-p" in header:
            negated, name = header["-p"]
            matches += _protocol(negated, name)
            protocol = "" if negated else protocol_name(name)
        if "-f" in header:
            matches.append(Fragment(header["-f"][0]))
        for extension, given in self.loaded:
            made = extension.build(tuple(given))
            if extension.protocols is not None and protocol not in extension.protocols:
                expected = f"-p {' or '.join(sorted(extension.protocols))}"
                raise InputError("needs a protocol", value=f"-m {extension.name}", expected=expected)
            if isinstance(made, Match):
                matches.append(made)
            else:
                target = made
        return matches, self._finished(target, protocol)

    def _finished(self, target: Target | None, protocol: str) -> Target | None:
        if target is None and self.target is not None:
            standard = None if self.goto else _STANDARD.get(self.target)
            return _jump(self.target, self.goto) if standard is None else standard
        if isinstance(target, Translation) and target.ports is not None and protocol not in {*_WITH_PORTS, "icmp"}:
            raise InputError(
                "ports need a protocol that has them", value=str(target), expected="-p tcp, udp, sctp or dccp"
            )
        if isinstance(target, Reject) and target.icmp is None and protocol != "tcp":
            raise InputError("a reset needs TCP", value=str(target), expected="-p tcp")
        return target


@lru_cache(maxsize=4096)
def _addresses(option: str, negated: bool, value: str) -> Sequence[tuple[Match, ...]]:
    kind = Source if option == "-s" else Destination
    texts = value.split(",")
    if negated and len(texts) > 1:
        raise InputError("a list of addresses can't be negated", value=f"! {option} {value}", expected="one address")
    pairs = [address_and_mask(text) for text in texts]
    if negated and pairs[0][1] == 0:
        raise InputError("would never match", value=f"! {option} {value}", expected="a longer prefix")
    return [() if mask == 0 else (kind(number, mask, negated),) for number, mask in pairs]


@lru_cache(maxsize=1024)
def _interface(option: str, negated: bool, name: str) -> tuple[Match, ...]:
    if not name or len(name) > 15 or any(c.isspace() or c == "/" for c in name):
        raise InputError("not an interface name", value=name, expected="1 to 15 characters")
    return () if name == "+" and not negated else (Interface(option, name, negated),)


@lru_cache(maxsize=256)
def _protocol(negated: bool, text: str) -> tuple[Match, ...]:
    name = protocol_name(text)
    if name == "all" and negated:
        raise InputError("would never match", value=f"! -p {text}", expected="a protocol")
    return () if name == "all" else (ProtocolIs(name, negated),)


@lru_cache(maxsize=4096)
def _jump(chain: str, goto: bool) -> Jump:
    return Jump(check_chain_name(chain), goto)


def check_chain_name(name: str) -> str:
    """A chain's name as iptables allows it: at most 28 characters, not beginning with `-` or `!`."""
    if not 0 < len(name.encode()) <= 28 or name[0] in "-!" or any(c.isspace() for c in name):
        raise InputError("not a chain name", value=name, expected="1 to 28 characters, the first not - or !")
    return name


_COUNTERS = re.compile(r"\[([0-9]{1,20}):([0-9]{1,20})\]")


def parse_counters(text: str) -> Counters:
    """The packets and bytes written `[12:34]`."""
    found = _COUNTERS.fullmatch(text)
    if found is None:
        raise InputError("not counters", value=text, expected="[PACKETS:BYTES]")
    return int(found[1]), int(found[2])
