"""What all widgets share: the way from a JavaScript module and plain data to something that a reader can touch.

A widget's whole behaviour is in its own JavaScript (an anywidget), and everything that it may be asked for is in its
data, computed by netpath beforehand. So the same widget answers in JupyterLab and in the published page, where no
kernel is. Beside it stands its `frame`: the best still picture or table, for print, for readers without JavaScript,
and for whoever reads with other means than eyes.

`live` puts ipywidgets controls above a widget: these need a kernel, and say so where there is none.

Not modelled: undoing what a reader did; every widget starts anew with its page.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, ClassVar, Protocol
from urllib.parse import quote

import anywidget
import ipywidgets
import traitlets

from netpath.errors import NetpathError
from netpath.show.canvas import outline
from netpath.show.palette import FATES, SPACES, Look

Data = dict[str, Any]
_IMPORT = re.compile(r'(?<=from )"\./([\w-]+\.js)"')
_PLAIN = " /:;,=+*()[]{}!?@$&'~|^`<>"  # what stays legible in a data: URL between double quotes


class Framed(Protocol):
    """Something that a notebook shows as HTML: a `Drawn` or a `Table`."""

    def _repr_html_(self) -> str: ...


@functools.cache
def bundle(name: str) -> str:
    """A module's text; the modules that it imports from beside it are put in as `data:` URLs, so that one text is all.

    Browsers load the same URL once, so two widgets on a page share the modules that they share.
    """
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    return _IMPORT.sub(lambda found: f'"data:text/javascript,{quote(bundle(found[1]), safe=_PLAIN)}"', text)


@functools.cache
def stylesheet(name: str) -> str:
    """The style sheet that all widgets share, and a module's own, if there is one beside it."""
    folder = resources.files(__package__)
    sheets = [folder / "widgets.css", folder / name.replace(".js", ".css")]
    return "".join(sheet.read_text(encoding="utf-8") for sheet in sheets if sheet.is_file())


def looks() -> Data:
    """The palette for JavaScript, by space and by fate: colour, sign, and outline (points around 0, at size 1)."""
    return {
        "spaces": {str(space): _look(look) for space, look in SPACES.items()},
        "fates": {str(fate): _look(look) for fate, look in FATES.items()},
    }


def _look(look: Look) -> Data:
    points = [[round(x, 3), round(y, 3)] for x, y in outline(look)]
    return {"colour": look.colour, "shape": look.shape, "sign": look.sign, "points": points}


class Shown(anywidget.AnyWidget):
    """A widget made of a JavaScript module (`_module`, beside this file) and of plain data.

    `data`: what it shows; assigning another draws it anew. Subclasses say `frame`, `__repr__`, and their module.
    """

    _module: ClassVar[str]
    data = traitlets.Dict().tag(sync=True)
    looks = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "_module" in cls.__dict__:  # each instance gets a subclass of its own, with traits in the place of these two
            cls._esm, cls._css = bundle(cls._module), stylesheet(cls._module)
        super().__init_subclass__(**kwargs)

    def __init__(self, data: Data, **traits: Any) -> None:
        super().__init__(data=data, looks=looks(), **traits)
        self.on_msg(_answer)

    def frame(self) -> Framed:
        """The still picture or table that stands for the widget where it can't move."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[Data, Data] | None:
        return _with_frame(super()._repr_mimebundle_(**kwargs), self)


def _answer(widget: Any, content: Any, buffers: Any) -> None:
    """Tell the JavaScript side, which asked, that a kernel is here."""
    if content == {"kind": "hello"}:
        widget.send({"kind": "here"})


def _with_frame(shown: Any, widget: Any) -> tuple[Data, Data] | None:
    """A widget's outputs and its frame's HTML, which whoever can't show widgets shows instead."""
    if shown is None:
        return None
    data, metadata = shown if isinstance(shown, tuple) else (shown, {})
    html = f'<div class="netpath-frame">{widget.frame()._repr_html_()}</div>'
    return {**data, "text/plain": repr(widget), "text/html": html}, metadata


# Live ------------------------------------------------------------------------------------------


class Notice(Shown):
    """One line: that controls need a kernel, until one answers; then, what is wrong with the input, if anything."""

    _module = "notice.js"
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__({})

    def __repr__(self) -> str:
        return self.problem or "Controls for a running kernel"


class Live(ipywidgets.VBox):  # type: ignore[misc]
    """Controls and the widget that they redraw."""

    def __init__(self, notice: Notice, controls: Mapping[str, ipywidgets.Widget], widget: Shown) -> None:
        self.notice, self.controls, self.widget = notice, dict(controls), widget
        row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
        super().__init__([notice, row, widget])

    def __repr__(self) -> str:
        return f"Controls: {', '.join(self.controls)}\n{self.widget!r}"

    def frame(self) -> Framed:
        """The widget's own."""
        return self.widget.frame()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[Data, Data] | None:
        return _with_frame(super()._repr_mimebundle_(**kwargs), self)


def live(widget: Shown, change: Callable[..., Data], **controls: ipywidgets.Widget) -> Live:
    """Controls that redraw a widget: `change`, called with their values by name, gives its new data.

    What netpath finds wrong with a value is told beside the controls, and the widget stays as it was.
    """
    notice = Notice()

    def redraw(_: object = None) -> None:
        try:
            widget.data = change(**{name: control.value for name, control in controls.items()})
            notice.problem = ""
        except NetpathError as error:
            notice.problem = str(error)

    for control in controls.values():
        control.observe(redraw, "value")
    return Live(notice, controls, widget)
