"""RFC 1035 master files -> `dns.zone.Zone`, read by dnspython."""

from __future__ import annotations

import dns.exception
import dns.zone

from netpath.errors import InputError
from netpath.load.files import MasterFile


def zone(master: MasterFile) -> dns.zone.Zone:
    """The zone of a master file. Names are absolute; `$INCLUDE` is refused. Raises `InputError`."""
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
    except dns.exception.SyntaxError:
        return reported - 1
    except (dns.exception.DNSException, ValueError):
        pass
    return reported
