"""Wagtail finds this module because the plugin is an installed app."""

from wagtail import hooks

from tests.specimen_plugin.parts import NoteBlock


@hooks.register("register_event_blocks", order=100)
def event_blocks():
    return [("specimen_note", NoteBlock())]
