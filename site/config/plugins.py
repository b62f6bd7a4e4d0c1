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
from django.core.checks import Error, Warning, register
from django.utils.module_loading import module_has_submodule

from apps.events.themes import Broken, Theme, read
from config.theming import template_problems

GROUP = "foyer.plugins"
THEMES_GROUP = "foyer.themes"
THEMES_ROOT = Path(__file__).resolve().parents[2] / "themes"


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


@cache
def _wardrobe() -> tuple[dict[str, Theme], dict[str, str]]:
    found: dict[str, Theme] = {}
    problems: dict[str, str] = {}
    folders = {folder.parent.name: folder.parent for folder in sorted(THEMES_ROOT.glob("*/theme.toml"))}
    for point in sorted(entry_points(group=THEMES_GROUP)):
        name = point.dist.name if point.dist else point.value
        try:
            spec = importlib.util.find_spec(point.value)
        except Exception as error:
            problems[name] = _reason(error)
            continue
        if spec and spec.submodule_search_locations:
            folders[name] = Path(next(iter(spec.submodule_search_locations)))
        else:
            problems[name] = f"There is no package {point.value}."
    for name, folder in folders.items():
        try:
            theme = read(folder)
        except Broken as error:
            problems[name] = str(error)
            continue
        if theme.slug in found:
            problems[name] = f"Another theme is called {theme.slug} already."
        else:
            found[theme.slug] = theme
    return found, problems


def themes() -> dict[str, Theme]:
    """Every theme that can be worn, by slug: those in `themes/`, then those of installed packages (a package may not
    take a slug). One that is broken is left out; see check_themes."""
    return _wardrobe()[0]


def theme_folders() -> list[tuple[str, Path]]:
    """Each theme's folder under the name that its files are served by."""
    return [(f"themes/{theme.slug}", theme.folder) for theme in themes().values()]


@register
def check_themes(app_configs: object, **kwargs: Any) -> list[Warning]:
    """Every theme can be worn. A broken one is a warning: its organisations wear the default one until it is mended."""
    broken = {
        f"The theme {name} cannot be worn, and whoever chose it wears the default one. {problem}"
        for name, problem in _wardrobe()[1].items()
    }
    torn = {
        f"The theme {name} is worn with our template in place of one of its own. {problem}"
        for name, problem in template_problems().items()
    }
    hint = "Mend it or uninstall it, then restart. docs/extending.md says what a theme holds."
    return [Warning(sentence, hint=hint, id="foyer.W002") for sentence in (*sorted(broken), *sorted(torn))]
