"""Journeys are walked in the same browser as the pages of tests/browser."""

from tests.browser.conftest import browser, open_tab  # noqa: F401 - fixtures
