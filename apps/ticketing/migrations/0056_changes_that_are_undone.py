# Keeps what a paid change of choices replaced, so that it can be undone when its payment is lost to a dispute.

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ticketing', '0055_payout_accounts'),
    ]

    operations = [
        migrations.AddField(
            model_name='choicechange',
            name='replaced',
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
    ]
