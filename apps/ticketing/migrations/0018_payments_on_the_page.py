from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("ticketing", "0017_event_drafts"),
    ]

    operations = [
        migrations.AddField(
            model_name='payment',
            name='account',
            field=models.CharField(blank=True, default='', max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='payment',
            name='is_here',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='payment',
            name='declined_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='payment',
            name='redirect_url',
            field=models.URLField(blank=True, max_length=2000),
        ),
    ]
