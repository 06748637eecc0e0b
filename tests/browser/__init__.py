"""Headless Chromium for tests, driven by Playwright: pages as a person would meet them.

The fixture `open_page` is there for every test; one that uses it is marked `browser`.
"""
