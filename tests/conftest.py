"""What all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# The same examples in every run, so that what passes here passes there; and no deadline, for coverage slows things down.
settings.register_profile("project", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("project")


def skip_here(reason: str) -> None:
    """Skip a test for want of something on this machine; where everything must be there (`.ci/run`), fail."""
    if os.environ.get("NETPATH_CI"):
        pytest.fail(f"this must not be skipped here: {reason}")
    pytest.skip(reason)
