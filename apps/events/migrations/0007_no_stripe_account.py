from django.db import migrations


class Migration(migrations.Migration):
    """Nothing ever read or wrote the column; ticketing keeps the account, encrypted (ticketing 0018)."""

    dependencies = [
        ("events", "0006_legal_texts"),
    ]

    operations = [
        migrations.RemoveField(model_name='organisation', name='stripe_account'),
    ]
