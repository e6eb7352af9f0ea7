"""Every page in a real browser, as a reader without a network would see it: in light, in dark, on a phone."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.browser.axe import violations
from tests.browser.conftest import Opened
from tests.test_book import chapters


@pytest.mark.parametrize("name", [*chapters(), "search", "genindex"])
def test_a_page_opens_without_complaint_and_fits_the_screen(opened: Opened, site: str, name: str) -> None:
    opened.page.goto(f"{site}{name}.html", wait_until="load")
    opened.page.mouse.wheel(0, 20_000)  # what loads lazily is asked for too
    opened.page.wait_for_load_state("networkidle")
    assert opened.complaints == []
    width, screen = opened.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= screen, f"the page is {width} px wide on a screen of {screen}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_readers_choice_of_light_or_dark(browser: Any, site: str, scheme: str) -> None:
    with browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{site}book/intro.html")
        assert page.locator("html").get_attribute("data-theme") == scheme


WIDGET_VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]'
WEIGHT = {"ordinary": 1_000_000, "with widgets": 2_500_000}  # bytes, each file gzipped


@pytest.mark.parametrize("name", chapters())
def test_every_widget_of_a_page_is_drawn_in_place_of_its_still_frame(browser: Any, site: str, name: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site}{name}.html")
        outputs = page.locator(".cell_output").filter(has=page.locator(WIDGET_VIEW))
        for output in outputs.all():
            output.locator(".netpath-widget").first.wait_for()
            assert output.locator(".netpath-frame").is_hidden()


@pytest.mark.parametrize("name", chapters())
def test_without_javascript_every_widget_has_its_still_frame(browser: Any, site: str, name: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site}{name}.html")
        outputs = page.locator(".cell_output").filter(has=page.locator(WIDGET_VIEW))
        assert all(output.locator(".netpath-frame").is_visible() for output in outputs.all())


@pytest.mark.parametrize("name", chapters())
def test_a_page_is_not_heavy(browser: Any, site: str, name: str) -> None:
    sizes: dict[str, int] = {}
    with browser.new_context() as context:
        page = context.new_page()
        page.on("response", lambda answer: sizes.update({answer.url: len(gzip.compress(answer.body(), 6))}))
        page.goto(f"{site}{name}.html", wait_until="networkidle")
        kind = "with widgets" if page.locator(WIDGET_VIEW).count() else "ordinary"
    assert sum(sizes.values()) < WEIGHT[kind], sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", chapters())
def test_axe_finds_nothing_serious(browser: Any, site: str, name: str, scheme: str) -> None:
    with browser.new_context(color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{site}{name}.html", wait_until="networkidle")
        assert violations(page, "html", ("serious", "critical")) == []


NARROW = {"width": 360, "height": 740}
OUT_OF_REACH = """() => [...document.querySelectorAll("pre")]
    .filter((each) => each.scrollWidth > each.clientWidth && each.tabIndex < 0).map((each) => each.textContent)"""


@pytest.mark.parametrize("name", chapters())
def test_what_a_reader_unfolds_can_be_scrolled_by_keyboard(browser: Any, site: str, name: str) -> None:
    with browser.new_context(viewport=NARROW) as context:
        page = context.new_page()
        page.goto(f"{site}{name}.html", wait_until="networkidle")
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.wait_for_timeout(500)  # the theme waits for 300 ms
        assert page.evaluate(OUT_OF_REACH) == []
