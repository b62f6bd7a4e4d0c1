"""Room on each page for a second copy of all its rows: a batch that is decided changes every line and choice on it at
once, and what finds no room is written into every index again."""

from django.db import migrations

TABLES = ("ticketing_orderline", "ticketing_linechoice")


class Migration(migrations.Migration):
    dependencies = [("ticketing", "0062_why_not_lower")]

    operations = [
        migrations.RunSQL(
            [f"ALTER TABLE {table} SET (fillfactor = 45)" for table in TABLES],
            [f"ALTER TABLE {table} SET (fillfactor = 60)" for table in TABLES],
        ),
    ]
