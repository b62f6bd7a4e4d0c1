"""Lines and choices are changed in place when they are held: room on their pages, and no index on what changes. Orders
lose three more indexes that each of their states was written into and hardly anybody read."""
import apps.accounts.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


TABLES = ("ticketing_orderline", "ticketing_linechoice")


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0003_one_file_per_ticket'),
        ('ticketing', '0013_payment_turns'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='order',
            name='order_holds',
        ),
        migrations.RemoveIndex(
            model_name='order',
            name='order_held',
        ),
        migrations.RemoveIndex(
            model_name='orderline',
            name='line_held',
        ),
        migrations.AlterField(
            model_name='order',
            name='organisation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='events.organisation'),
        ),
        migrations.AlterField(
            model_name='order',
            name='secret',
            field=models.CharField(default=apps.accounts.ids.new_secret, max_length=64),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(condition=models.Q(('state__in', ['reserved', 'offered'])), fields=['reserved_until'], include=('event',), name='order_holds'),
        ),
        migrations.RunSQL(
            [f"ALTER TABLE {table} SET (fillfactor = 60)" for table in TABLES],
            [f"ALTER TABLE {table} RESET (fillfactor)" for table in TABLES],
        ),
    ]
