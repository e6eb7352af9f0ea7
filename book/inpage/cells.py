"""Runs the cells of a page in the reader's browser, one after the other, in one set of names.

`run` is called by `worker.js` with a cell's source; what comes of it goes back through `tell`, as JSON: what it prints,
while it prints; the value of a last line that is an expression; an error, as a person reads it. What netpath can show
as HTML is shown so; every other value by its `repr`, so that nothing else becomes markup.

A notebook's widgets need a kernel that talks with the page. Here their libraries are stand-ins, so that modules which
import them can be imported: a widget is shown by its still frame, and controls say where they work.

Not modelled: `await` and `input` in a cell, IPython's magics, numpy and matplotlib.
"""

import ast
import io
import json
import linecache
import pprint
import sys
import time
import traceback
import types

LIMIT = 200_000  # characters that a cell may print; a page that shows more would stand still
AT_ONCE = 100  # messages about what is printed that are sent at once, for nothing may follow; the others wait
PAUSE = 0.05  # seconds, at least, between two of these
LITE = "this needs the notebook, which the button at the top of the page opens"

names = {"__name__": "__main__", "__builtins__": __builtins__}


def run(source, name, tell):
    """Run a cell: True if it raised nothing. `name`: what tracebacks call it; `tell`: takes JSON."""

    def say(**message):
        tell(json.dumps(message))

    printed = Printed(say)
    out, err = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = printed
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    try:
        value = evaluate(source, name)
        text = None if value is None else shown(value)
    except BaseException as error:
        printed.flush()
        say(error=told(error, name))
        return False
    finally:
        sys.stdout, sys.stderr = out, err
    printed.flush()
    if text:
        say(**text)
    return True


def evaluate(source, name):
    """Run the statements; the value of the last one, if it is an expression."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), names)
    return last and eval(compile(ast.Expression(last.value), name, "eval"), names)


def shown(value):
    """A value as HTML, if it is netpath's own and knows how, or else as text."""
    if type(value).__module__.partition(".")[0] == "netpath":
        if isinstance(value, sys.modules["anywidget"].AnyWidget):
            return {"html": value.frame()._repr_html_(), "note": f"A still picture: to move it, {LITE}."}
        if hasattr(value, "_repr_html_"):
            return {"html": value._repr_html_()}
    plain = type(value) in (dict, list, set, tuple)
    return {"text": pprint.pformat(value, width=88, sort_dicts=False) if plain else repr(value)}


def told(error, name):
    """An error: its kind and message, the cell's own line that it came from, and the calls in between."""
    said = traceback.TracebackException.from_exception(error)
    frames = [each for each in said.stack if each.filename != __file__]
    said.stack = traceback.StackSummary.from_list(frames)
    own = next((each.lineno for each in reversed(frames) if each.filename == name), None)
    line = error.lineno if isinstance(error, SyntaxError) else own
    return {
        "message": "".join(said.format_exception_only()).strip().splitlines()[-1],
        "line": line,
        "code": linecache.getline(name, line).strip() if line else "",
        "calls": "".join(said.format()) if len(frames) > 1 else "",
    }


class Printed(io.TextIOBase):
    """Where a cell prints to: passes it on, not too often and not too much."""

    def __init__(self, say):
        self.say, self.waiting, self.length = say, [], 0
        self.messages, self.sent = 0, time.monotonic()

    def writable(self):
        return True

    def write(self, text):
        if self.length < LIMIT:
            self.waiting.append(text[: LIMIT - self.length])
            self.length += len(text)
            if self.length >= LIMIT:
                self.waiting.append("\n… and more, which is left out\n")
        soon = text.endswith("\n") and self.messages < AT_ONCE
        if soon or time.monotonic() - self.sent > PAUSE:
            self.flush()
        return len(text)

    def flush(self):
        if self.waiting:
            self.say(printed="".join(self.waiting))
            self.messages += 1
        self.waiting, self.sent = [], time.monotonic()


# Stand-ins -------------------------------------------------------------------------------------


class Control:
    """Stands for each of ipywidgets' classes."""

    def __init__(self, *_, **__):
        raise RuntimeError(LITE)


def stand_in():
    """Put them where the widgets' modules look for them."""
    import traitlets

    class AnyWidget(traitlets.HasTraits):
        """A widget that nobody listens to."""

        def on_msg(self, _):
            pass

        def send(self, _):
            pass

        def _repr_mimebundle_(self, **_):
            return None

    controls, widget = types.ModuleType("ipywidgets"), types.ModuleType("anywidget")
    controls.__getattr__ = lambda name: type(name, (Control,), {})
    widget.AnyWidget = AnyWidget
    sys.modules.update(ipywidgets=controls, anywidget=widget)
