"""The ingress widget in a real browser: a reader types a host and a path, and reads who gets it and who lost."""

from __future__ import annotations

import re
from typing import Any

import pytest

from netpath import shop
from netpath.show.widgets.ingress import examples
from netpath.show.widgets.ingress_data import compare
from tests.browser.conftest import Opened, one_view

PAGE = "notebooks/04_from_node_to_pod.html"


@pytest.fixture
def widget(opened: Opened, site: str) -> Any:
    """The chapter's widget."""
    return opened.widget(site + PAGE, "ingress")


def ask(widget: Any, host: str, path: str) -> None:
    widget.get_by_role("textbox", name="Host").fill(host)
    widget.get_by_role("textbox", name="Path").fill(path)


def ending(widget: Any, column: str) -> str:
    return str(widget.get_by_role("group", name=column).locator(".np-ending").inner_text())


def why(widget: Any, column: str, won: bool) -> list[str]:
    kind = ".np-won" if won else ".np-lost"
    return [str(each) for each in widget.get_by_role("group", name=column).locator(f"{kind} .np-why").all_inner_texts()]


BOOK, NGINX = "By the specification", "As ingress-nginx does it"


def test_a_path_is_typed_and_answered_key_by_key(widget: Any) -> None:
    path = widget.get_by_role("textbox", name="Path")
    path.fill("")
    path.press_sequentially("//cart")
    assert ending(widget, BOOK).startswith("To Service shop/web:http")
    assert ending(widget, NGINX).startswith("To Service shop/cart:http")
    assert "They differ." in widget.locator(".np-headline").inner_text()


@one_view
def test_every_candidate_that_lost_says_why(widget: Any) -> None:
    ask(widget, "shop.example.com", "/cartoon")
    assert why(widget, BOOK, won=False) == ["'/cartoon' is not under '/cart' element by element"]
    assert "'/cartoon' does not begin with '/cart/'" in why(widget, NGINX, won=False)


@one_view
def test_the_page_says_what_netpath_says_of_every_chip(widget: Any) -> None:
    for example in examples(shop().need(shop().cluster, "cluster", "an Ingress")):
        widget.get_by_role("combobox").select_option(label=example.name)
        for host, path in example.chips:
            ask(widget, host, path)
            told = compare(example.cluster, host, path)
            for column, name in ((BOOK, "specification"), (NGINX, "nginx")):
                steps = told[name]["steps"]
                assert why(widget, column, won=True) == [each[2] for each in steps if each[1]], (host, path)
                assert why(widget, column, won=False) == [each[2] for each in steps if not each[1]], (host, path)


@one_view
def test_a_chip_fills_in_both_fields_and_is_pressed(widget: Any) -> None:
    chip = widget.get_by_role("button", name="www.example.com/cart")
    chip.click()
    assert widget.get_by_role("textbox", name="Host").input_value() == "www.example.com"
    assert chip.get_attribute("aria-pressed") == "true"


def test_one_rewrite_target_changes_all_paths_of_the_host(widget: Any) -> None:
    ask(widget, "shop.example.com", "/CART")
    assert "They agree." in widget.locator(".np-headline").inner_text()
    widget.get_by_role("combobox").select_option(label="with one rewrite-target")
    ask(widget, "shop.example.com", "/CART")
    assert "regular expression" in widget.locator(".np-because").inner_text()


@one_view
def test_a_screen_reader_hears_both_answers(widget: Any) -> None:
    ask(widget, "shop.example.com", "/../etc")
    words = widget.get_by_role("status").filter(has_text="With ingress-nginx: Answers 400.")
    words.wait_for(state="attached")
    assert re.match("They differ. By the specification: To Service shop/web:http", words.inner_text())


@one_view
def test_what_is_typed_is_text_and_never_markup(widget: Any) -> None:
    ask(widget, "<b>host</b>", "/<img src=x>")
    assert widget.locator(".np-headline img, .np-headline b b, ol img").count() == 0
    assert "%3Cimg" not in widget.locator(".np-headline").inner_text()
    assert "<img%20src=x>" in widget.locator(".np-headline").inner_text()


@one_view
def test_an_endless_path_is_refused_and_does_not_widen_the_page(widget: Any) -> None:
    ask(widget, "shop.example.com", "/" + "x" * 9000)
    assert ending(widget, NGINX) == "Answers 414."
    assert widget.evaluate("(each) => each.scrollWidth <= each.clientWidth")


@one_view
def test_the_keyboard_reaches_fields_and_chips(widget: Any) -> None:
    widget.get_by_role("textbox", name="Path").focus()
    widget.page.keyboard.press("Tab")
    widget.page.keyboard.press("Tab")
    widget.page.keyboard.press("Enter")
    assert widget.get_by_role("textbox", name="Path").input_value() == "/cart/"
