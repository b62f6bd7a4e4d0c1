"""A stranger's plugin: a Django app that adds to Foyer without touching its code.

Installed for real it would declare the entry point

    [project.entry-points."foyer.plugins"]
    specimen = "tests.specimen_plugin"

The tests install it that way in a process of its own, and plug its parts in one by one elsewhere.
"""
