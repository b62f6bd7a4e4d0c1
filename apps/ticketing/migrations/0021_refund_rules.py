"""The refund rule of an event; what was given back of a line; retries of refunds and debts that were paid otherwise."""

import apps.accounts.ids
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0006_legal_texts'),
        ("ticketing", "0020_transfers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RefundRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=apps.accounts.ids.new_public_id, editable=False, unique=True)),
                ('at', models.DateTimeField(editable=False)),
                ('kind', models.CharField(choices=[('never', 'Not at all'), ('hours', 'Until so many hours before the start'), ('moment', 'Until a day and time')], default='hours', max_length=6, verbose_name='buyers may give tickets back')),
                ('hours_before', models.PositiveSmallIntegerField(blank=True, help_text='24 is a day, 168 a week. It moves along when the event is moved.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(8760)], verbose_name='hours before the start')),
                ('until', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('fee_minor', models.PositiveIntegerField(default=0, verbose_name='fee per ticket')),
                ('fee_percent', models.PositiveSmallIntegerField(default=0, help_text='Of what the buyer paid for the ticket. Both may be given; together they never exceed the price.', validators=[django.core.validators.MaxValueValidator(100)], verbose_name='and of the price, in percent')),
            ],
            options={
                'verbose_name': 'refund rule',
                'verbose_name_plural': 'refund rules',
                'ordering': ['event_id', 'id'],
            },
        ),
        migrations.AddField(
            model_name='orderline',
            name='given_back_minor',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='refund',
            name='fee_minor',
            field=models.PositiveIntegerField(db_default=0, default=0, verbose_name='fee kept'),
        ),
        migrations.AddField(
            model_name='refund',
            name='is_partial',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='refund',
            name='note',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='why'),
        ),
        migrations.AddField(
            model_name='refund',
            name='paid_otherwise_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='refund',
            name='paid_otherwise_note',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AddField(
            model_name='refund',
            name='retry_of',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='retry', to='ticketing.refund'),
        ),
        migrations.AlterField(
            model_name='entry',
            name='account',
            field=models.CharField(choices=[('clearing', 'provider clearing'), ('revenue', 'ticket revenue'), ('vat', 'VAT payable'), ('buyer_refundable', 'owed to buyers'), ('seller_payable', 'owed to sellers'), ('sponsor_receivable', 'owed by sponsors'), ('fee', 'fees kept'), ('provider_fee', "provider's fees"), ('dispute', 'disputed'), ('outside', 'paid outside the provider')], max_length=20, verbose_name='account'),
        ),
        migrations.AddConstraint(
            model_name='orderline',
            constraint=models.CheckConstraint(condition=models.Q(('given_back_minor__lte', models.F('price_minor'))), name='line_gives_back_what_it_cost'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('paid_otherwise_at__isnull', True), models.Q(('state', 'failed'), models.Q(('paid_otherwise_note', ''), _negated=True)), _connector='OR'), name='refund_paid_otherwise_says_how'),
        ),
        migrations.AddField(
            model_name='refundrule',
            name='actor',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='refundrule',
            name='event',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refund_rules', to='events.event', verbose_name='event'),
        ),
        migrations.AddConstraint(
            model_name='refundrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('fee_minor', 0), ('fee_percent', 0), ('hours_before__isnull', True), ('kind', 'never'), ('until__isnull', True)), models.Q(('hours_before__isnull', False), ('kind', 'hours'), ('until__isnull', True)), models.Q(('hours_before__isnull', True), ('kind', 'moment'), ('until__isnull', False)), _connector='OR'), name='refund_rule_says_until_when'),
        ),
        migrations.AddConstraint(
            model_name='refundrule',
            constraint=models.CheckConstraint(condition=models.Q(('fee_percent__lte', 100)), name='refund_rule_keeps_a_part_at_most'),
        ),
    ]
