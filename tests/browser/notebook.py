"""A notebook in Jupyter, in the browser or with a server, used as a person would."""

from __future__ import annotations

from tests.browser.conftest import Opened

COLD = 60_000  # milliseconds; `make bench` measures how long it really takes
PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
HAS_NUMBER = r"prompt => /\d/.test(prompt.textContent)"
ALL_HAVE_RUN = f"!{PROMPTS}.some((each) => /[* ]]/.test(each.textContent))"


class Notebook:
    """A notebook that is open in the browser, used as a person would."""

    def __init__(self, opened: Opened) -> None:
        self.opened, self.page = opened, opened.page

    def open(self, address: str) -> Notebook:
        """Go there, and wait until Python has started."""
        self.page.goto(address)
        return self.wait()

    def wait(self) -> Notebook:
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=COLD)
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=COLD)
        return self

    def run_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(
            ALL_HAVE_RUN,
            timeout=3 * COLD,
        )

    def run(self, code: str, cell: int = 0) -> str:
        """Put code in the place of a cell's, run it, and say what it printed."""
        place = self.page.locator(".jp-CodeCell").nth(cell)
        prompt = place.locator(".jp-InputPrompt").first
        place.locator(".cm-content").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)
        prompt.evaluate("prompt => (prompt.textContent = '')")  # a number there is then of this run
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(HAS_NUMBER, arg=prompt.element_handle(), timeout=COLD)
        return str(place.locator(".jp-OutputArea").first.inner_text())

    def save(self) -> None:
        self.page.keyboard.press("Control+S")
        self.page.wait_for_timeout(1500)

    def source(self, cell: int = 0) -> str:
        return str(self.page.locator(".jp-CodeCell .cm-content").nth(cell).inner_text())

    @property
    def errors(self) -> list[str]:
        found = self.page.locator(
            ".jp-OutputArea-output[data-mime-type$=stderr], .jp-OutputArea-output[data-mime-type*=error]"
        )
        return [text[:500] for text in found.all_inner_texts()]
