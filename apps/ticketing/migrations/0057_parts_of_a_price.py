# Which rows of a bank's file brought only a part of a price, and wait for the rest.

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ticketing', '0056_changes_that_are_undone'),
    ]

    operations = [
        migrations.AddField(
            model_name='bankrow',
            name='is_part',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name='bankrow',
            index=models.Index(condition=models.Q(('is_part', True)), fields=['payment'], name='bank_row_part'),
        ),
    ]
