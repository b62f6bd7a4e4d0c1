import apps.accounts.ids
import apps.accounts.keyring
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0007_no_stripe_account'),
        ("ticketing", "0018_payments_on_the_page"),
    ]

    operations = [
        migrations.CreateModel(
            name='StripeAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=apps.accounts.ids.new_public_id, editable=False, unique=True)),
                ('account', apps.accounts.keyring.EncryptedTextField(blank=True)),
                ('is_submitted', models.BooleanField(default=False)),
                ('can_charge', models.BooleanField(default=False)),
                ('pays_out', models.BooleanField(default=False)),
                ('is_gone', models.BooleanField(default=False)),
                ('due', models.JSONField(default=list)),
                ('due_by', models.DateTimeField(null=True)),
                ('disabled_reason', models.CharField(blank=True, max_length=80)),
                ('begun_at', models.DateTimeField()),
                ('checked_at', models.DateTimeField(null=True)),
                ('organisation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='stripe_facts', to='events.organisation')),
            ],
            options={
                'verbose_name': 'Stripe account',
                'verbose_name_plural': 'Stripe accounts',
            },
        ),
    ]
