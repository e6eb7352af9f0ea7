"""An nginx in a namespace: the frame of its configuration that every one in the lab has.

One process each, without a master: it needs no other user, so it runs in a user namespace too.

Not modelled: TLS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def write(folder: Path, http: str) -> Path:
    """Write a configuration into a folder: `http` is the inside of its http block."""
    folder.mkdir(parents=True)
    temporary = "".join(f"  {each}_temp_path {folder}/{each};\n" for each in _TEMPORARY)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"user root root; daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\n  access_log off; server_tokens off;\n"
        f"  server_names_hash_bucket_size 256; variables_hash_max_size 4096; map_hash_bucket_size 256;\n"
        f"{temporary}{http}}}\n"
    )
    return configuration


KEPT = "keepalive 16;"  # open connections in each upstream


def upstream(name: str, endpoints: Iterable[object], more: str = "") -> str:
    """An upstream block. No server is ever taken for dead: health is the world's to say."""
    servers = "".join(f" server {each} max_fails=0;" for each in endpoints)
    return f"upstream {name} {{{servers} {more} }}\n"


def quoted(text: str) -> str:
    r"""A word that nginx reads as this text. A `$` would begin a variable, and can't be written: ask `literal`.

    >>> quoted('a"b')
    '"a\\"b"'
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A word that stands for this text even where variables are read: `$dollar` is one, of value `$`."""
    return quoted(text.replace("$", "${dollar}"))


DOLLAR = 'geo $dollar { default "$"; }\n'


def wildcard(pattern: str, end: str = "$") -> str:
    r"""A regular expression for a pattern with `*` (any characters) and `?` (exactly one).

    >>> wildcard("*.example.com")
    '^.*\\.example\\.com$'
    """
    kinds = {"*": ".*", "?": "."}
    return "^" + "".join(kinds.get(each) or re.escape(each) for each in pattern) + end
