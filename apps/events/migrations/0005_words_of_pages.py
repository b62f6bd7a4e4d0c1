"""What event pages say, folded for the search of the list of events; and when an event changed, for calendars."""

from typing import Any

from django.db import migrations, models
from django.db.models.functions import Now


def fill(apps: Any, schema_editor: Any) -> None:
    from apps.events.finding import words_for

    pages = apps.get_model("events", "EventPage").objects
    for page in pages.select_related("event").iterator():
        pages.filter(pk=page.pk).update(words=words_for(page))


class Migration(migrations.Migration):
    dependencies = [("events", "0004_challenges_guests")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="changed_at",
            field=models.DateTimeField(auto_now=True, db_default=Now()),
        ),
        migrations.AddField(
            model_name="eventpage",
            name="words",
            field=models.TextField(blank=True, db_default="", default="", editable=False),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
