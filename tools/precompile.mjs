/**
 * Compile the Python in wheels, with the very Pyodide that lies beside them: `node precompile.mjs FOLDER WHEEL…`.
 *
 * In the browser, compiling takes longer than anything else that an import does. The compiled files carry the digest of
 * their source and aren't compared with it again; the same wheels give the same bytes.
 */
import process from "node:process";

const [folder, ...wheels] = process.argv.slice(2);
const { loadPyodide } = await import(`file://${folder}/pyodide.mjs`);
const pyodide = await loadPyodide({ indexURL: `${folder}/` });
pyodide.mountNodeFS("/wheels", folder);
pyodide.globals.set("wheels", pyodide.toPy(wheels));
await pyodide.runPythonAsync(`
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

SELDOM = "/tests/", "/lexers/", ".data/"  # not worth their bytes


def compiled(name, source):
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return bytes(_code_to_hash_pyc(code, source_hash(source), False))


def add_compiled(path):
    with ZipFile(path) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    for name, source in list(files.items()):
        if name.endswith(".py") and not any(part in name for part in SELDOM):
            files[cache_from_source(name)] = compiled(name, source)
    with ZipFile(path, "w") as wheel:
        for name, content in sorted(files.items()):
            wheel.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, ZIP_DEFLATED, 9)


for wheel in wheels:
    add_compiled(Path("/wheels") / wheel)
`);
