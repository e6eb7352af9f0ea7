/**
 * Compile the Python in archives, with the very Pyodide that lies beside them: `node precompile.mjs FOLDER ARCHIVE…`.
 *
 * In the browser, compiling takes longer than anything else that an import does. A wheel keeps its sources, for readers
 * and for tracebacks; Python's own library doesn't, as in the `pyc` distribution that Pyodide has on its CDN. The compiled files carry
 * the digest of their source and aren't compared with it again; the same archives give the same bytes.
 */
import process from "node:process";

const [folder, ...archives] = process.argv.slice(2);
const { loadPyodide } = await import(`file://${folder}/pyodide.mjs`);
const pyodide = await loadPyodide({ indexURL: `${folder}/` });
pyodide.mountNodeFS("/archives", folder);
pyodide.globals.set("archives", pyodide.toPy(archives));
await pyodide.runPythonAsync(`
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

LIBRARY = "python_stdlib.zip"  # which Pyodide has as /lib/python314.zip
SELDOM = "/tests/", "/testing/", "/sphinxext/", "/lexers/", "/quic/", "/dnssecalgs/", "/lab/", ".data/"  # too many bytes


def compiled(name, source):
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return bytes(_code_to_hash_pyc(code, source_hash(source), False))


def of_wheel(files):
    for name, content in files.items():
        yield name, content
        if name.endswith(".py") and not any(part in f"/{name}" for part in SELDOM):
            yield cache_from_source(name), compiled(name, content)


def of_library(files):
    for name, content in files.items():
        module = name.endswith(".py")
        yield (f"{name}c", compiled(f"/lib/python314.zip/{name}", content)) if module else (name, content)


def compile_all(path):
    with ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    made = of_library(files) if path.name == LIBRARY else of_wheel(files)
    with ZipFile(path, "w") as archive:
        for name, content in sorted(made):
            archive.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, ZIP_DEFLATED, 9)


for name in archives:
    compile_all(Path("/archives") / name)
`);
