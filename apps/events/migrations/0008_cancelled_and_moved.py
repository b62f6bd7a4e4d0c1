from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0007_no_stripe_account")]

    operations = [
        migrations.AddField(
            model_name="event",
            name="cancelled_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="cancelled"),
        ),
        migrations.AddField(
            model_name="event",
            name="moved_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="moved"),
        ),
        migrations.AddField(
            model_name="event",
            name="moved_from",
            field=models.DateTimeField(editable=False, null=True, verbose_name="moved from"),
        ),
    ]
