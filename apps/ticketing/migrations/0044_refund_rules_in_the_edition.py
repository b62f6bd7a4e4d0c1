"""A rule for refunds makes another edition of its event's catalogue, so that pages know when to read it anew."""

from __future__ import annotations

from django.db import migrations

from apps.ticketing import catalogue_edition


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0040_choices_and_answers")]

    operations = [migrations.RunSQL(catalogue_edition.SQL, reverse_sql=migrations.RunSQL.noop)]
