"""The pages without code say what the book, its palette and its world say."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import yaml

from netpath.exercises import progress
from netpath.load import shop
from netpath.show.palette import FATES, SPACES, Look
from tests.conftest import ROOT

BOOK = ROOT / "book"


def text_of(name: str) -> str:
    return (BOOK / name).read_text(encoding="utf-8")


def objects() -> dict[str, Any]:
    """The Kubernetes objects on the page about what has changed, by kind."""
    blocks = re.findall(r"```yaml\n(.*?)```", text_of("what_changed.md"), re.DOTALL)
    return {each["kind"]: each for each in map(yaml.safe_load, blocks)}


def chapters() -> list[str]:
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [file for file in files if re.match(r"notebooks/0[1-5]_", file)]


@pytest.mark.parametrize("look", SPACES.values(), ids=list(SPACES))
def test_how_to_read_has_every_shape_of_an_address_space(look: Look) -> None:
    assert f"| {look.sign} {look.shape} |" in text_of("how_to_read.md")


@pytest.mark.parametrize(("fate", "look"), FATES.items(), ids=list(FATES))
def test_how_to_read_has_every_fate_with_its_sign(fate: str, look: Look) -> None:
    assert f"| {look.sign} | **{fate}**" in text_of("how_to_read.md")


@pytest.mark.parametrize("name", ["book/intro.md", "README.md"])
def test_every_chapter_is_listed_where_a_reader_comes_in(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [each for each in chapters() if f"{each}.ipynb)" not in text] == []


def test_the_ingress_that_is_compared_is_the_worlds_own() -> None:
    cluster = shop().cluster
    assert cluster is not None
    (rule,) = objects()["Ingress"]["spec"]["rules"]
    own = next(each for ingress in cluster.ingresses for each in ingress.rules if each.host == rule["host"])
    told = {(path["path"], path["backend"]["service"]["name"]) for path in rule["http"]["paths"]}
    assert told == {(path.path, path.backend.service) for path in own.paths}


def test_the_route_says_what_the_ingress_says() -> None:
    (rule,) = objects()["Ingress"]["spec"]["rules"]
    route = objects()["HTTPRoute"]["spec"]
    paths = {(path["path"], path["backend"]["service"]["name"]) for path in rule["http"]["paths"]}
    routed = {(each["matches"][0]["path"]["value"], each["backendRefs"][0]["name"]) for each in route["rules"]}
    assert (route["hostnames"], routed) == ([rule["host"]], paths)


def test_the_routes_ports_are_those_that_the_ingress_means_by_name() -> None:
    cluster = shop().cluster
    assert cluster is not None
    named = {(each.name, port.name): port.port for each in cluster.services for port in each.ports}
    backends = [each["backendRefs"][0] for each in objects()["HTTPRoute"]["spec"]["rules"]]
    assert [each["port"] for each in backends] == [named[each["name"], "http"] for each in backends]


def shown_in_the_introduction(which: int) -> Any:
    """What one of the introduction's cells shows."""
    cells = re.findall(r"```\{code-cell\} python3\n(?::[^\n]*\n)*(.*?)```", text_of("intro.md"), re.DOTALL)
    *before, last = ast.parse(cells[which]).body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(before, []), "intro.md", "exec"), names)
    return eval(compile(ast.Expression(last.value), "intro.md", "eval"), names)


def test_the_introduction_begins_with_the_hit_and_the_miss() -> None:
    shown = shown_in_the_introduction(0)
    assert [name for name, journey in shown.journeys.items() if journey.outcome.ok] == ["The hit", "The miss"]


def test_the_introductions_map_links_from_its_own_place_to_pages_that_exist() -> None:
    data = shown_in_the_introduction(1).data
    pages = [BOOK / data["root"] / f"{each['page']}.ipynb" for each in data["chapters"]]
    assert pages and all(page.exists() for page in pages)


def test_how_to_read_names_the_file_that_progress_is_kept_in() -> None:
    assert f"`{progress.NAME}`" in text_of("how_to_read.md")
