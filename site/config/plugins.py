"""Plugins and themes from outside this repository.

A plugin is a Django app whose package declares the entry point `foyer.plugins`; a theme is a folder with a
`theme.toml`, in `themes/` or in a package that declares `foyer.themes`. Settings read this: nothing here needs them.

A plugin that fails to load, be it on import, with its models, its hooks or when it registers its parts, is remembered
with the reason instead of ending `manage.py` with a trace. The house then opens no door: a system check and `insist`
refuse to serve, because a sale without one of its rules is a wrong one. `manage.py plugins` says what to mend.
"""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, register
from django.utils.module_loading import module_has_submodule

GROUP = "foyer.plugins"
THEMES_ROOT = Path(__file__).resolve().parents[2] / "themes"


@dataclass(frozen=True)
class Theme:
    """A look: `theme.css` of custom properties, optional `templates/` that override by path."""

    slug: str
    title: dict[str, str]  # by language
    folder: Path


@dataclass
class Plugin:
    """One installed plugin. `app` is what its entry point names, `module` the app's package. `registered` is
    {registry: slugs}, known once Django is set up; `problem` is why the plugin does not work, empty when it does."""

    app: str
    package: str
    version: str
    module: str = ""
    place: str = ""
    problem: str = ""
    registered: dict[str, list[str]] = field(default_factory=dict)


class PluginFailed(Exception):
    """An installed plugin did not load; nothing may be sold without its rules."""


@cache
def plugins() -> tuple[Plugin, ...]:
    """Every installed plugin, those that cannot be imported too, in a stable order."""
    points = {point.value: point for point in entry_points(group=GROUP)}
    return tuple(_find(points[app]) for app in sorted(points))


def _find(point: EntryPoint) -> Plugin:
    package, version = (point.dist.name, point.dist.version) if point.dist else ("", "")
    plugin = Plugin(app=point.value, package=package, version=version)
    settings_were_made = settings.configured
    try:
        config = AppConfig.create(point.value)  # what Django will do with it, before it can do harm
        plugin.module, plugin.place = config.name, config.path
    except Exception as error:
        plugin.problem = _reason(error)
    if settings.configured and not settings_were_made:
        plugin.problem = "It reads the settings on import, while they are being made. That can be done in ready()."
    return plugin


def plugin_apps() -> list[str]:
    """Dotted app names of all plugins that can be imported, in a stable order."""
    return [plugin.app for plugin in plugins() if not plugin.problem]


def guard(configs: Iterable[AppConfig]) -> None:
    """Let the models, the hooks and the `ready` of plugins among `configs` fail without ending the setup, and note what
    `ready` registers. Called before any of them has run."""
    by_module = {plugin.module: plugin for plugin in plugins() if not plugin.problem}
    for config in configs:
        if config.name in by_module:
            _guard(config, by_module[config.name])


def _guard(config: Any, plugin: Plugin) -> None:
    import_models, ready = config.import_models, config.ready

    def guarded_ready() -> None:
        _attempt(ready, plugin)
        _attempt(lambda: _import_hooks(config), plugin)
        if plugin.problem:  # Wagtail would try once more, in the middle of its own setup
            hooks = ModuleSpec(f"{config.name}.wagtail_hooks", None)
            sys.modules[hooks.name] = importlib.util.module_from_spec(hooks)

    config.import_models = lambda: _attempt(import_models, plugin)
    config.ready = guarded_ready


def _import_hooks(config: AppConfig) -> None:
    if module_has_submodule(config.module, "wagtail_hooks"):
        import_module(f"{config.name}.wagtail_hooks")


def _attempt(step: Callable[[], None], plugin: Plugin) -> None:
    from apps.accounts.registry import entries

    if plugin.problem:
        return
    before = entries()
    try:
        step()
    except Exception as error:
        plugin.problem = _reason(error)
    for name, slugs in entries().items():
        if new := [slug for slug in slugs if slug not in before.get(name, ())]:
            plugin.registered[name] = plugin.registered.get(name, []) + new


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@register
def check_plugins(app_configs: object, **kwargs: Any) -> list[Error]:
    """Every plugin that is installed works."""
    return [
        Error(
            f"The plugin {plugin.package or plugin.app} does not load. {plugin.problem}",
            hint="Mend it or uninstall it; `manage.py plugins` lists them all.",
            id="foyer.E001",
        )
        for plugin in plugins()
        if plugin.problem
    ]


def insist() -> None:
    """Refuse to go on when a plugin does not work. Raises PluginFailed. For processes that run no system checks."""
    if errors := check_plugins(None):
        raise PluginFailed(" ".join(f"{error.msg} {error.hint}" for error in errors))


def _read(folder: Path) -> Theme:
    facts = tomllib.loads((folder / "theme.toml").read_text(encoding="utf-8"))
    return Theme(slug=facts["name"], title=facts["title"], folder=folder)


def themes() -> dict[str, Theme]:
    """Every theme by slug: those in `themes/`, then those of installed packages (a package may not take a slug)."""
    found = {}
    for toml in sorted(THEMES_ROOT.glob("*/theme.toml")):
        theme = _read(toml.parent)
        found[theme.slug] = theme
    for point in entry_points(group="foyer.themes"):
        spec = importlib.util.find_spec(point.value)
        if spec and spec.submodule_search_locations:
            theme = _read(Path(spec.submodule_search_locations[0]))
            found.setdefault(theme.slug, theme)
    return found


def theme_folders(part: str, *, with_theme_css: bool = False) -> list[Path | tuple[str, Path]]:
    """Folders called `part` inside the themes; with `with_theme_css`, each theme's own folder under `themes/<slug>`."""
    folders: list[Path | tuple[str, Path]] = []
    for theme in themes().values():
        if with_theme_css:
            folders.append((f"themes/{theme.slug}", theme.folder))
        elif (theme.folder / part).is_dir():
            folders.append(theme.folder / part)
    return folders
