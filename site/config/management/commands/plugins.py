"""`manage.py plugins`: which plugins are installed, what each brings, and which do not work."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from wagtail import hooks

from apps.events.body import HOOK
from config.plugins import Plugin, plugins


class Command(BaseCommand):
    help = "List the installed plugins: version, place, what each registered, and why one does not load."
    requires_system_checks: list[str] = []  # it tells what they would stop at

    def handle(self, *args: Any, **options: Any) -> None:
        found = plugins()
        if not found:
            self.stdout.write("No plugin is installed.")
        for plugin in found:
            blocks = _blocks(plugin)
            self.stdout.write(f"{plugin.package or plugin.app} {plugin.version}".rstrip())
            self.stdout.write(f"  app   {plugin.app}")
            if plugin.place:
                self.stdout.write(f"  from  {plugin.place}")
            for name, slugs in sorted(plugin.registered.items()):
                self.stdout.write(f"  {name}: {', '.join(slugs)}")
            if blocks:
                self.stdout.write(f"  event blocks: {', '.join(blocks)}")
            if plugin.problem:
                self.stdout.write(self.style.ERROR(f"  does not load: {plugin.problem}"))
        if any(plugin.problem for plugin in found):
            sys.exit(1)


def _blocks(plugin: Plugin) -> list[str]:
    """The names of the plugin's event blocks."""
    if plugin.problem:
        return []
    module = f"{plugin.module}.wagtail_hooks"
    try:
        return [name for hook in hooks.get_hooks(HOOK) if hook.__module__ == module for name, _block in hook()]
    except Exception as error:
        plugin.problem = f"{type(error).__name__}: {error}"
        return []
