"""One browser for many modules of tests, and none while others need the thread."""

from __future__ import annotations

import asyncio

from tests import browsers


def test_a_browser_is_kept_until_it_is_closed_and_leaves_no_loop_behind() -> None:
    first = browsers.kept()
    try:
        assert browsers.kept() is first
        page = first.new_page()
        page.set_content("<p>Välkommen</p>")
        assert page.inner_text("p") == "Välkommen"
    finally:
        browsers.close()

    browsers.close()  # nothing to do any more
    assert not first.is_connected()
    assert asyncio.run(asyncio.sleep(0, "a loop of our own")) == "a loop of our own"
