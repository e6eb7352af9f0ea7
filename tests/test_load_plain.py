"""What is read quickly is what PyYAML reads, or it isn't read quickly."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from netpath.errors import InputError
from netpath.load import SHOP, files, load_world
from netpath.load.files import _WorldLoader, yaml_documents
from netpath.load.plain import PlainReader, UncommonError

NASTY = [
    *("true", "no", "null", "~", "", "12", "-3", "0x1f", "010", "1e3", "1.5", "1:30", "1_000", ".inf", "=", "<<"),
    *("2026-03-02", "a: b", "a #b", "a:", "- a", "a\nb", " a", "a  b", "it's", 'say "x"', "\\", "é", "\t", "|", "*a"),
    *("&a", "!x", "%", "@", "`", "{}", "[]", "{a: 1}", "a,b", "[a", "---", "...", "?", "? a", "10.0.0.1", "x" * 400),
]
_text = st.one_of(st.sampled_from(NASTY), st.text("ab1: -#'\"{}[]\n.,", max_size=8))
_key = st.one_of(st.sampled_from(["a", "b", "kubernetes.io/name", "f-1", "on", "null", "1", "a:b", "items"]), _text)
_scalar = st.one_of(_text, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
_value = st.recursive(
    _scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_key, inner, max_size=3), max_leaves=8
)
_lists = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "items": st.lists(st.dictionaries(_key, _value, min_size=1, max_size=3), min_size=1)}
)


def reader() -> PlainReader:
    return PlainReader(lambda text: yaml.load(text, Loader=_WorldLoader), _WorldLoader.yaml_implicit_resolvers)


def quickly(text: str) -> Any:
    """What is read quickly; None if it is left to PyYAML."""
    try:
        return reader().document(text)
    except (UncommonError, yaml.YAMLError):
        return None


def slowly(text: str) -> Any:
    return yaml.load(text, Loader=_WorldLoader)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 isn't True, nor 1.0."""
    return repr(one) == repr(other)


@given(_lists, st.integers(20, 200))
def test_what_is_printed_is_read_as_pyyaml_reads_it(document: dict[str, Any], width: int) -> None:
    text = yaml.dump(document, default_flow_style=False, width=width, allow_unicode=True)
    found = quickly(text)
    assert found is None or same(found, slowly(text))


@given(st.lists(st.text(" -:ab1'\"#|>{}[]&*", max_size=10), max_size=8))
def test_whatever_the_lines_are_they_are_read_as_pyyaml_reads_them(lines: list[str]) -> None:
    text = "\n".join(["apiVersion: v1", "items:", "- a:", *lines, "kind: List", ""])
    found = quickly(text)
    if found is not None:
        assert same(found, slowly(text))


@given(_lists, st.data())
def test_a_spoilt_text_is_read_as_pyyaml_reads_it(document: dict[str, Any], data: st.DataObject) -> None:
    text = yaml.dump(document, default_flow_style=False)
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.text(" \n-:a'\"#|{[&*", max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]
    found = quickly(text)
    if found is not None:
        assert same(found, slowly(text))


@pytest.mark.parametrize("path", sorted((SHOP / "kubernetes").glob("*s.yaml")), ids=lambda path: path.name)
def test_the_shops_own_files_are_read_as_pyyaml_reads_them(path: Any) -> None:
    text = path.read_text()
    found = quickly(text)
    assert same(found, slowly(text)) if "*id" not in text else found is None  # an alias may lead out of its item


def test_an_item_that_is_not_plain_is_read_by_pyyaml_alone() -> None:
    text = "apiVersion: v1\nitems:\n- a: 1\n- b: |\n    two\n    lines\n- c: [3]\nkind: List\n"
    assert quickly(text)["items"] == [{"a": 1}, {"b": "two\nlines\n"}, {"c": [3]}]


@pytest.mark.parametrize(
    "text",
    [
        "kind: Service\n",  # no list
        "items:\n- a: 1\n---\nb: 2\n",  # two documents
        "items:\n- a: 1\n-\n  b: 2\n",  # a dash alone
        "items:\n- a: 'b\n- c'\n",  # an item that isn't one
        "items: &a\n- 1\n",
        "items:\n- a: 1\nitems: []\n",
        "items:\n- a: 1\n  a: 2\n",
    ],
)
def test_what_is_no_plain_list_is_left_to_pyyaml(text: str) -> None:
    assert quickly(text) is None


def test_an_item_that_is_deep_is_left_to_pyyaml() -> None:
    text = "items:\n- a:\n" + "".join(f"{' ' * deep}a:\n" for deep in range(4, 100))
    asked: list[str] = []
    made = PlainReader(lambda text: asked.append(text) or slowly(text), _WorldLoader.yaml_implicit_resolvers)  # type: ignore[func-returns-value]
    assert same(made.document(text), slowly(text))
    assert len(asked) == 2


def test_many_lines_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.load.plain._MOST", 3)
    made = reader()
    made.document("items:\n" + "".join(f"- a: {number}\n" for number in range(10)))
    assert len(made._lines) <= 3


def test_an_error_names_the_line_of_the_whole_text() -> None:
    with pytest.raises(InputError) as caught:
        yaml_documents("items:\n- a: 1\n- b: 2\n  b: 3\nkind: List\n", "services.yaml")
    assert caught.value.line == 3


def test_a_deep_item_of_a_list_is_refused() -> None:
    with pytest.raises(InputError, match="deep"):
        yaml_documents(f"items:\n- a: {'[' * 5000}{']' * 5000}\n", "deep.yaml")
    assert files.MOST_DEEP == 200


@pytest.mark.parametrize(
    "item",
    [
        "a: 1\n   b: 2",  # a column that nothing began at
        "a: 1\n b: 2",
        "a:\n      b: 1\n    c: 2",
        "a: b\n  c",  # folded
        "a:\n    b",
        "- 1",
        "a: 1\n  - b: 1",
        "on: 1",
        "a: 1.5",
        "a: b:",
        "a: b ",
        f"{'a' * 301}: 1",
    ],
)
def test_an_uncommon_item_goes_to_pyyaml_which_reads_it_or_refuses_it(item: str) -> None:
    text = f"items:\n- {item}\n- c: 1\n"
    try:
        expected = slowly(text)
    except yaml.YAMLError:
        expected = None
    assert same(quickly(text), expected)


def test_an_empty_value_ends_where_its_parent_goes_on() -> None:
    text = "items:\n- a:\n  b:\n  - c:\n  - d\n  e: {}\n  f: []\n- g:\n"
    assert same(quickly(text)["items"], [{"a": None, "b": [{"c": None}, "d"], "e": {}, "f": []}, {"g": None}])


@pytest.mark.parametrize("text", ["items:\n- a: 1\n[]: 1\n", "items:\n- a: 1\nb\n"])
def test_a_strange_end_of_a_list_is_left_to_pyyaml(text: str) -> None:
    assert quickly(text) is None


@pytest.mark.parametrize("collecting", [True, False])
def test_loading_leaves_the_garbage_collector_as_it_was(collecting: bool) -> None:
    was_enabled = gc.isenabled()
    try:
        gc.enable() if collecting else gc.disable()
        load_world(SHOP)
        assert gc.isenabled() is collecting
    finally:
        gc.enable() if was_enabled else gc.disable()


@pytest.mark.parametrize("rest", [["no", "mapping"], {"items": ["of", "its", "own"]}])
def test_a_list_whose_rest_is_no_object_of_its_own_is_left_to_pyyaml(rest: object) -> None:
    odd = PlainReader(lambda text: rest, _WorldLoader.yaml_implicit_resolvers)
    with pytest.raises(UncommonError):
        odd.document("kind: List\nitems:\n- a: 1\n")
