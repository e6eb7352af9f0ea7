"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"

# The same examples in every run, so that what passes here passes there. No deadline: coverage slows things down.
settings.register_profile("project", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("project")


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Keep nbval from measuring coverage inside its kernels, where it waits for an answer that never comes.

    It looks at pytest-cov's option, which pytest-cov itself has read by now.
    """
    if hasattr(config.option, "cov_source"):
        config.option.cov_source = None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and in it a record of exercises that nobody has begun."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETPATH_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path


def skip_here(reason: str) -> NoReturn:
    """Skip a test for want of something on this machine; where everything must be there (`.ci/run`), fail."""
    if os.environ.get("NETPATH_CI"):
        pytest.fail(f"this must not be skipped here: {reason}")
    pytest.skip(reason)
