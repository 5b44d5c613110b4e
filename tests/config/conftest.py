"""Fixtures of the tests of the INI reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ini_files import DATA
from prunecell import config


@pytest.fixture
def data() -> Path:
    return DATA


@pytest.fixture
def ini() -> Callable[..., config.IniFile]:
    """Parses lines given one by one."""

    def parse(*lines: str, **keywords: object) -> config.IniFile:
        return config.parse("\n".join(lines) + "\n", name="x.ini", **keywords)  # type: ignore[arg-type]

    return parse


@pytest.fixture
def fault() -> Callable[..., config.ConfigError]:
    """Parses lines, does something with the file, and gives the ConfigError that must come."""

    def run(
        *lines: str,
        then: Callable[[config.IniFile], object] = lambda file: None,
        **keywords: object,
    ) -> config.ConfigError:
        with pytest.raises(config.ConfigError) as caught:
            then(config.parse("\n".join(lines) + "\n", name="x.ini", **keywords))  # type: ignore[arg-type]
        return caught.value

    return run
