import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ticketing', '0012_flat_queue'),
    ]

    operations = [
        migrations.AddField(
            model_name='paymentpace',
            name='turn_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
            preserve_default=False,
        ),
    ]
