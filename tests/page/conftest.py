from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.page import chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    if chromium.found() is None:
        pytest.skip("no Chromium is installed: on Debian, apt-get install chromium")
    started = chromium.Browser(tmp_path_factory.mktemp("chromium"))
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def tab(browser: chromium.Browser) -> Iterator[chromium.Page]:
    with chromium.tab(browser) as page:
        yield page
