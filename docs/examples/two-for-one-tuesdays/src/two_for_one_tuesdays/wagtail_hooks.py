"""Wagtail reads this module of every installed app. Here the block joins those that event pages are composed of."""

from wagtail import blocks, hooks

from two_for_one_tuesdays.blocks import TwoForOneBlock
from two_for_one_tuesdays.price import BLOCK


@hooks.register("register_event_blocks", order=100)
def event_blocks() -> list[tuple[str, blocks.Block]]:
    return [(BLOCK, TwoForOneBlock())]
