"""The widgets' JavaScript outside of a page: one call of Node.js for many questions."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from netpath.show.widgets.kit import bundle
from tests.conftest import skip_here


def ask(module: str, body: str, given: Any) -> Any:
    """What a function with this body returns, which sees `module` (its exports) and `given`. Skips without Node.js."""
    node = shutil.which("node")
    if node is None:
        skip_here("needs node")
    with tempfile.TemporaryDirectory(prefix="netpath") as folder:
        (Path(folder) / "module.mjs").write_text(bundle(module), encoding="utf-8")
        (Path(folder) / "main.mjs").write_text(_MAIN.replace("BODY", body), encoding="utf-8")
        done = subprocess.run(
            [str(node), f"{folder}/main.mjs"], input=json.dumps(given), capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


_MAIN = """\
import { readFileSync } from "node:fs";
import * as module from "./module.mjs";
const given = JSON.parse(readFileSync(0, "utf-8"));
const answer = (() => { BODY })();
process.stdout.write(JSON.stringify(answer));
"""
