"""The body of an event page: a StreamField whose blocks are brought by apps and plugins through one hook.

    @hooks.register("register_event_blocks")
    def my_blocks():
        return [("my_block", MyBlock())]

The hook is asked on first use, so that blocks stay out of migrations. A block whose plugin is not installed is kept:
it shows nothing on the page, stands in the editor as a sealed row that can be moved or removed but not changed, and is
written back with the same id and value whenever the page is saved, until its plugin returns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import blocks, hooks
from wagtail.admin.telepath import register
from wagtail.blocks.stream_block import StreamBlockAdapter, StreamValue
from wagtail.fields import StreamField

HOOK = "register_event_blocks"
MISSING = "missing"  # the type under which an unknown block travels through the editor; never stored
SALT = "events.missing-block"


class MissingBlock(blocks.FieldBlock):
    """Stands in for a block that nobody registers now. Its value is `{"type": …, "value": …}` as stored.

    In the editor's form the value is signed: what comes back is what was sent, so that nobody can write the raw value
    of a block past that block's own checks.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.field = forms.CharField(
            required=False,
            widget=forms.HiddenInput(),
            help_text=_(
                "This block belongs to a plugin that is not installed now. It is kept as it is and shown again when"
                " the plugin returns."
            ),
        )
        super().__init__(**kwargs)

    def value_for_form(self, value: dict[str, Any] | None) -> str:
        return signing.dumps(value, salt=SALT, compress=True) if value else ""

    def value_from_form(self, value: str) -> dict[str, Any] | None:
        try:
            return signing.loads(value, salt=SALT)
        except signing.BadSignature:
            return None

    def clean(self, value: dict[str, Any] | None) -> dict[str, Any]:
        if not value:
            raise ValidationError(
                _("The kept block came back changed. Leave the page without saving and open it again.")
            )
        return value

    def render(self, value: Any, context: Any = None) -> str:
        return ""

    class Meta:
        icon = "warning"
        label = _("Block of a missing plugin")


class EventBlocks(blocks.StreamBlock):
    """All registered blocks, and the sealed stand-in for those that are not."""

    def __init__(self, local_blocks: Any = None, **kwargs: Any) -> None:
        super().__init__([*(local_blocks or ()), (MISSING, MissingBlock())], **kwargs)

    def _seal(self, child: dict[str, Any]) -> dict[str, Any]:
        if child["type"] in self.child_blocks:
            return child
        return {"type": MISSING, "value": {"type": child["type"], "value": child["value"]}, "id": child.get("id")}

    def to_python(self, value: Any) -> StreamValue:
        if isinstance(value, str) and value:
            try:
                value = json.loads(value)
            except ValueError:
                return super().to_python(value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = [self._seal(child) for child in value]
        return super().to_python(value)

    def get_prep_value(self, value: Any) -> list[dict[str, Any]]:
        return [
            {"type": child["value"]["type"], "value": child["value"]["value"], "id": child["id"]}
            if child["type"] == MISSING
            else child
            for child in super().get_prep_value(value)
        ]


class EventBlocksAdapter(StreamBlockAdapter):
    """The editor of these blocks: it shows the stand-in where it is and offers no more of it."""

    js_constructor = "events.EventBlocks"

    @cached_property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["events/admin/event-blocks.js"])


register(EventBlocksAdapter(), EventBlocks)


def registered_blocks() -> list[tuple[str, blocks.Block]]:
    """Every block that apps and plugins offer, in the hook's order. A name may be taken once."""
    found: dict[str, blocks.Block] = {}
    for offer in hooks.get_hooks(HOOK):
        for name, block in offer():
            if name in found or name == MISSING:
                raise ImproperlyConfigured(f"Two plugins offer an event block called “{name}”.")
            found[name] = block
    return list(found.items())


class EventBodyField(StreamField):
    """A StreamField over the blocks of the hook `register_event_blocks`. Migrations know it without its blocks."""

    def __init__(self, **kwargs: Any) -> None:
        self._built: tuple[tuple[Any, ...], EventBlocks] | None = None
        super().__init__([], **kwargs)

    @property
    def stream_block(self) -> EventBlocks:
        offers = tuple(hooks.get_hooks(HOOK))
        if self._built is None or self._built[0] != offers:
            block = EventBlocks(registered_blocks())
            block.set_meta_options({**self.block_opts, "block_counts": self._counts(block)})
            self._built = (offers, block)
        return self._built[1]

    def _counts(self, block: EventBlocks) -> dict[str, Any]:
        """A block that declares `max_per_page` in its Meta is offered no oftener."""
        limits = {name: getattr(child.meta, "max_per_page", None) for name, child in block.child_blocks.items()}
        return {name: {"max_num": limit} for name, limit in limits.items() if limit}

    def deconstruct(self) -> Any:
        name, path, _args, kwargs = models.Field.deconstruct(self)
        return name, path, [], kwargs


def words_of(body: StreamValue) -> Iterator[str]:
    """What a page says, in pieces without markup, for the search. How its hero looks is not said."""
    for child in body:
        if child.block_type != "hero":
            yield from child.block.get_searchable_content(child.value)
