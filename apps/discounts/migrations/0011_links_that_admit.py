import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("discounts", "0010_presale")]

    operations = [
        migrations.AddField(
            model_name="presalelink",
            name="admits_non_members",
            field=models.BooleanField(
                default=False,
                help_text="Without this, whoever has the link sees a ticket for members and must be a member to buy it. With it, the link is enough.",
                verbose_name="opens tickets for members to others too",
            ),
        ),
        migrations.AlterField(
            model_name="audience",
            name="body",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="audiences",
                to="discounts.memberbody",
                verbose_name="member body",
            ),
        ),
    ]
