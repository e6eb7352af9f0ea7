"""RFC 1035 master files -> `dns.zone.Zone`, read by dnspython."""

from __future__ import annotations

import re

import dns.exception
import dns.zone

from netpath.errors import InputError
from netpath.load.files import MasterFile

MOST_GENERATED = 65_536  # records of one $GENERATE
_GENERATE = re.compile(r"^[ \t]*\$GENERATE\s+(\d+)-(\d+)", re.MULTILINE | re.IGNORECASE)


def zone(master: MasterFile) -> dns.zone.Zone:
    """The zone of a master file. Names are absolute; `$INCLUDE` is refused. Raises `InputError`."""
    _refuse_many(master)
    try:
        made = dns.zone.from_text(master.text, relativize=False, allow_include=False, filename=master.file)
    except dns.zone.UnknownOrigin:
        raise InputError("a zone without its name", file=master.file, expected="$ORIGIN with the zone's name") from None
    except dns.zone.NoSOA:
        raise InputError("a zone without SOA", file=master.file, expected="one SOA record at the origin") from None
    except dns.zone.NoNS:
        raise InputError("a zone without NS", file=master.file, expected="NS records at the origin") from None
    except (dns.exception.DNSException, ValueError) as error:
        raise _located(error, master) from None
    return made


def _refuse_many(master: MasterFile) -> None:
    """A line of `$GENERATE` could make records without end."""
    for found in _GENERATE.finditer(master.text):
        if len(found[2]) > 9 or int(found[2]) - int(found[1][-9:]) >= MOST_GENERATED:
            line = master.text.count("\n", 0, found.start()) + 1
            expected = f"{MOST_GENERATED} at the most"
            raise InputError("too many records", file=master.file, line=line, value=found[0], expected=expected)


def _located(error: Exception, master: MasterFile) -> InputError:
    """dnspython says `FILE:LINE: problem`; the line goes where our errors have it."""
    text = str(error).removeprefix(f"{master.file}:")
    line, colon, problem = text.partition(":")
    if colon and line.isdigit():
        number = _line(int(line), master)
        return InputError(problem.strip(), file=master.file, line=number, expected="a record of RFC 1035")
    return InputError(text or type(error).__name__, file=master.file, expected="an RFC 1035 master file")


def _line(reported: int, master: MasterFile) -> int:
    """The line at fault: dnspython reports the next one where it had read to the end of the line already."""
    before = "".join(master.text.splitlines(keepends=True)[: reported - 1])
    try:
        dns.zone.from_text(before, relativize=False, allow_include=False, check_origin=False)
    except (dns.exception.DNSException, ValueError) as error:
        return reported - isinstance(error, dns.exception.SyntaxError)
    return reported
