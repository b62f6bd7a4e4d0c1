"""What resale adds to Wagtail: its block, and the desk for an event's rule and listings."""

from __future__ import annotations

from wagtail import blocks, hooks

from apps.resale.blocks import ResaleBlock


@hooks.register("register_event_blocks", order=21)
def resale_blocks() -> list[tuple[str, blocks.Block]]:
    return [("resale", ResaleBlock())]
