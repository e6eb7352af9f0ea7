"""Every exercise, and many variants of each: the stub, the solution, every foreseen mistake, and garbage."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import netpath.exercises
from netpath.errors import InputError
from netpath.exercises import progress
from netpath.exercises.answers import Form, Unreadable, read, same
from netpath.exercises.build import Build, defined
from netpath.exercises.everything import chapters, road
from netpath.exercises.exercise import Chapter, Exercise
from netpath.exercises.limit import limited
from netpath.exercises.misconceptions import MENDED, PAGES
from netpath.exercises.outcome import Kind, Outcome, See, Told, markup, right
from netpath.exercises.predict import Predict, Slip, Variant
from netpath.exercises.repair import Edit, Repair
from tests.conftest import ROOT

CHAPTERS = chapters()
EXERCISES = [each for chapter in CHAPTERS for each in chapter.exercises]
PREDICT = [each for each in EXERCISES if isinstance(each, Predict)]
BUILD = [each for each in EXERCISES if isinstance(each, Build)]
REPAIR = [each for each in EXERCISES if isinstance(each, Repair)]

pytestmark = pytest.mark.usefixtures("folder")


def numbered(exercises: list[Any]) -> pytest.MarkDecorator:
    """One test for each."""
    return pytest.mark.parametrize("exercise", exercises, ids=lambda each: each.number)


def mended(exercise: Repair, *edits: Edit) -> Outcome:
    """What is said of a broken world in which so much was mended."""
    exercise.open(anew=True)
    for edit in edits:
        edit.apply(exercise.folder)
    return exercise.check()


def places() -> list[See]:
    """Every section that some exercise may send a reader back to."""
    names = [each.name for each in walk_packages(netpath.exercises.__path__, "netpath.exercises.")]
    return list(dict.fromkeys(v for name in names for v in vars(import_module(name)).values() if isinstance(v, See)))


def sections(page: str) -> set[str]:
    """A chapter's sections, by the anchors that Sphinx gives them."""
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in re.findall(r"^##+ (.+)$", text, re.M)}


# Every exercise ----------------------------------------------------------------------------------
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda each: str(each.number))
def test_exercises_are_numbered_in_their_order_and_hold_a_time(chapter: Chapter) -> None:
    wanted = [f"{chapter.number}.{at}" for at in range(1, len(chapter.exercises) + 1)]
    assert [each.number for each in chapter.exercises] == wanted and all(each.minutes > 0 for each in chapter.exercises)


@numbered(EXERCISES)
def test_what_was_not_touched_is_not_attempted(exercise: Exercise) -> None:
    assert exercise.check().kind is Kind.NOT_ATTEMPTED


@numbered(EXERCISES)
def test_hints_are_counted_and_begin_anew_after_the_last(exercise: Exercise) -> None:
    count = len(exercise.hints)
    titles = [exercise.hint().title for _ in range(2 * count)]
    assert titles == [f"Hint {at} of {count}" for at in range(1, count + 1)] * 2


@numbered(EXERCISES)
def test_a_solution_is_folded_and_gives_its_reasons(exercise: Exercise) -> None:
    assert exercise.solution().folded and len(exercise.solution().text.split()) > 8


@pytest.mark.parametrize("garbage", [None, "x" * 100_001, 3.5, [], object(), "<img onerror=alert(1)>", b"\x00", ""])
@numbered(EXERCISES)
def test_garbage_gets_a_word_about_it(exercise: Exercise, garbage: object) -> None:
    outcome = exercise.check(garbage)
    assert outcome.kind in (Kind.WRONG, Kind.NOT_ATTEMPTED) and 0 < len(repr(outcome)) < 700


def test_every_belief_of_the_list_is_mended_in_a_chapter_that_exists() -> None:
    assert set(MENDED.values()) <= set(PAGES)


# Predict -----------------------------------------------------------------------------------------
@numbered(PREDICT)
def test_there_are_a_dozen_variants_and_they_differ(exercise: Predict) -> None:
    variants = exercise.variants()
    assert len({(each.question, each.options) for each in variants}) == len(variants) >= 12


@numbered(PREDICT)
def test_not_all_variants_have_the_same_answer(exercise: Predict) -> None:
    assert len({each.answer for each in exercise.variants()}) > 1


@numbered(PREDICT)
def test_the_answer_of_every_variant_is_right(exercise: Predict) -> None:
    outcomes = []
    for _ in exercise.variants():
        outcomes.append(exercise.check(exercise.now.answer))
        exercise.another()
    assert all(outcome.right and outcome.reasoning for outcome in outcomes), outcomes


@numbered(PREDICT)
def test_every_foreseen_mistake_gets_its_own_words(exercise: Predict) -> None:
    for variant in exercise.variants():
        for slip in variant.slips:
            outcome = variant.judge(slip.answer, exercise.otherwise)
            first = next(each for each in variant.slips if same(variant.form, each.answer, slip.answer))
            assert outcome.kind is Kind.WRONG and outcome.because == first.because, (variant, slip)


@numbered(PREDICT)
def test_every_variant_foresees_a_mistake(exercise: Predict) -> None:
    assert all(variant.slips for variant in exercise.variants())


@numbered(PREDICT)
def test_a_variant_is_found_again_by_its_code(exercise: Predict) -> None:
    asked = exercise.variant(f"{exercise.number}-05").question()
    exercise.another()
    assert exercise.variant(f"{exercise.number}-05").question() == asked
    exercise.variant(f"{exercise.number}-01")


@pytest.mark.parametrize("code", ["", "9.9-01", "-01", "1.1", None, "5.1-0", "5.1-99999999"])
def test_a_code_that_is_none_is_refused(code: Any) -> None:
    with pytest.raises(InputError):
        PREDICT[-1].variant(code)


@numbered(PREDICT)
def test_a_beliefs_name_is_one_of_the_list_or_none(exercise: Predict) -> None:
    slips = [slip for variant in exercise.variants() for slip in variant.slips]
    assert {slip.misconception for slip in slips} <= {"", *MENDED}


@numbered(PREDICT)
def test_every_foreseen_mistake_leads_back_to_a_section(exercise: Predict) -> None:
    assert {slip.see for variant in exercise.variants() for slip in variant.slips} <= set(places())


@pytest.mark.parametrize("place", places(), ids=lambda each: each.page.rpartition("/")[2])
def test_every_place_to_read_again_is_a_section_of_its_chapter(place: See) -> None:
    page, _, anchor = place.page.partition("#")
    assert anchor in sections(page)


# Build -------------------------------------------------------------------------------------------
@numbered(BUILD)
def test_a_stub_is_not_attempted(exercise: Build) -> None:
    assert exercise.check(defined(exercise.stub)).kind is Kind.NOT_ATTEMPTED


@numbered(BUILD)
def test_the_solution_of_a_build_passes_every_time(exercise: Build) -> None:
    outcomes = [exercise.check(defined(exercise.answer)) for _ in range(5)]
    assert all(outcome.right for outcome in outcomes), outcomes


@numbered(BUILD)
def test_every_foreseen_wrong_build_is_told_what_is_wrong(exercise: Build) -> None:
    told = [(part, exercise.check(defined(code))) for code, part in exercise.slips]
    assert told and all(part in repr(outcome) and not outcome.right for part, outcome in told), told


@numbered([each for each in BUILD if each.wants is None])
def test_a_function_that_raises_or_never_ends_is_told_so(exercise: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("oh")

    def endless(*_: Any) -> Any:
        while True:
            pass

    assert "ValueError: oh" in repr(exercise.check(broken))
    monkeypatch.setattr(exercise, "seconds", 0.3)
    assert exercise.check(endless).kind is Kind.RAISED


# Repair ------------------------------------------------------------------------------------------
@numbered(REPAIR)
def test_a_broken_world_shows_its_symptom(exercise: Repair) -> None:
    exercise.open()
    assert exercise.judged(exercise.folder).kind is Kind.WRONG and exercise.check().kind is Kind.NOT_ATTEMPTED


@numbered(REPAIR)
def test_the_cure_cures(exercise: Repair) -> None:
    outcome = mended(exercise, *exercise.cures)
    assert outcome.right, outcome


@numbered(REPAIR)
def test_every_foreseen_cure_that_is_none_is_told_why(exercise: Repair) -> None:
    for edits, part in exercise.slips:
        assert part in repr(mended(exercise, *edits)), part


@numbered(REPAIR)
def test_a_file_that_cannot_be_read_is_a_wrong_cure_that_names_the_file(exercise: Repair) -> None:
    exercise.open()
    (exercise.folder / "kubernetes" / "services.yaml").write_text("kind: [", encoding="utf-8")
    assert "services.yaml" in exercise.check().because


@numbered(REPAIR)
def test_opening_again_keeps_what_was_mended_and_opening_anew_does_not(exercise: Repair) -> None:
    exercise.open()
    file = exercise.folder / "kubernetes" / "services.yaml"
    file.write_text("# mine\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    exercise.open()
    assert file.read_text(encoding="utf-8").startswith("# mine")
    exercise.open(anew=True)
    assert not file.read_text(encoding="utf-8").startswith("# mine")


# The reader's code -------------------------------------------------------------------------------
def forever() -> Outcome:
    """Takes all memory, inside one call of C."""
    list(itertools.count())
    return right()


def gone() -> Outcome:
    """Ends the process."""
    import os

    os._exit(7)


def leaving() -> Outcome:
    """Leaves by another door."""
    raise SystemExit("bye")


HARMFUL = [(forever, ""), (gone, "end of the whole process"), (leaving, "SystemExit")]


@pytest.mark.parametrize(("judge", "part"), HARMFUL)
def test_no_code_of_a_reader_harms_the_kernel(judge: Any, part: str) -> None:
    outcome = limited(judge, 3)
    assert outcome.kind is Kind.RAISED and part in outcome.because


def test_where_a_process_cannot_fork_an_endless_loop_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.fork")

    def endless() -> Outcome:
        while True:
            pass

    assert "never ends" in limited(endless, 0.2).because


def test_the_line_of_the_readers_own_that_raised_is_named() -> None:
    space: dict[str, Any] = {}
    exec(compile("def mine():\n    return 1 / 0\n", "<cell>", "exec"), space)
    assert "in line 2 of `mine`" in limited(lambda: space["mine"]()).because


# The record --------------------------------------------------------------------------------------
def test_what_was_right_once_stays_right() -> None:
    progress.record("1.1", Kind.RIGHT, 3)
    progress.record("1.1", Kind.WRONG, 4)
    assert progress.read()["1.1"] == {"state": "right", "variant": 4, "tries": 2}


def test_an_export_is_imported_again() -> None:
    progress.record("1.1", Kind.WRONG)
    text = progress.exported(progress.read())
    progress.reset()
    assert progress.read() == {}
    progress.bring(text)
    assert progress.read()["1.1"]["state"] == "wrong"


NOT_EXPORTED = ["", "[]", "{}", '{"version": 2, "exercises": {}}', '{"version": 1, "exercises": {"a": 1}}']


@pytest.mark.parametrize("text", NOT_EXPORTED)
def test_an_import_that_is_none_is_refused_and_the_record_stays(text: str) -> None:
    progress.record("1.1", Kind.RIGHT)
    with pytest.raises(InputError, match="no progress file"):
        progress.bring(text)
    assert progress.read()["1.1"]["state"] == "right"


def test_a_record_that_cannot_be_kept_is_no_reason_not_to_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETPATH_PROGRESS", "/proc/nowhere/progress.json")
    assert PREDICT[0].check(PREDICT[0].now.answer).right
    assert "not kept" in capsys.readouterr().out


def test_the_users_data_folder_is_respected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NETPATH_PROGRESS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    progress.record("1.1", Kind.RIGHT)
    assert (tmp_path / "data" / "netpath" / progress.NAME).exists()


def test_a_chapter_tells_what_the_reader_has_done() -> None:
    first = CHAPTERS[-1].exercises[0]
    progress.record(first.number, Kind.RIGHT)
    assert "✓ right" in repr(CHAPTERS[-1].progress()) and repr(road()).count("\n") == len(CHAPTERS)


# Forms of answers --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        (Form.SHARE, "33 %", "1/3"),
        (Form.SHARE, "0.3333", " 2 / 6 "),
        (Form.SHARE, "100%", "1"),
        (Form.NUMBER, "007", "7"),
        (Form.NAME, "WWW.example.com.", "www.example.com"),
        (Form.ADDRESS, " 10.0.0.1:80 ", "10.0.0.1:80"),
    ],
)
def test_answers_are_the_same_however_they_are_written(form: Form, one: str, other: str) -> None:
    assert same(form, read(form, one), read(form, other))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form.SHARE, "1/0"),
        (Form.SHARE, ""),
        (Form.ADDRESS, "10.0.0.256"),
        (Form.ADDRESS, "10.0.0.1:99999"),
        (Form.NUMBER, "-1"),
        (Form.NAME, "a b"),
        (Form.CHOICE, "else"),
    ],
)
def test_an_answer_of_another_form_is_told_so(form: Form, text: str) -> None:
    with pytest.raises(Unreadable):
        read(form, text, ("this", "that"))


def test_a_variant_whose_mistake_is_the_answer_is_refused() -> None:
    with pytest.raises(AssertionError):
        Variant("?", "1/3", "why", (Slip("2/6", "no"),), Form.SHARE)


# What a world brings in --------------------------------------------------------------------------
def texts() -> Iterator[Any]:
    """Everything that shows text."""
    yield Told("<img onerror=x>", "`<b>` <script>")
    yield Told("<img onerror=x>", "```\n<script>\n```", folded=True)
    yield Outcome(Kind.WRONG, "<script>", "<img onerror=x>")


@pytest.mark.parametrize("shown", list(texts()))
def test_names_are_shown_as_text_and_never_as_markup(shown: Any) -> None:
    html = shown._repr_html_()
    assert "<script" not in html and "<img" not in html and "&lt;script&gt;" in html


def test_an_odd_backtick_is_a_backtick() -> None:
    assert markup("a `b", "x") == '<div class="x"><p>a `b</p></div>'
