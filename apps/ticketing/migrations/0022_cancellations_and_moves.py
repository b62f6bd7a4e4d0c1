import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.accounts.ids


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0008_cancelled_and_moved"),
        ("ticketing", "0021_refund_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Cancellation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.accounts.ids.new_public_id, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "proposed"),
                            ("running", "being paid back"),
                            ("done", "all is ordered back"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="proposed",
                        max_length=9,
                    ),
                ),
                ("say_sv", models.CharField(blank=True, max_length=200, verbose_name="sentence in Swedish")),
                ("say_en", models.CharField(blank=True, max_length=200, verbose_name="sentence in English")),
                ("proposed_at", models.DateTimeField(verbose_name="proposed")),
                ("confirmed_at", models.DateTimeField(null=True, verbose_name="confirmed")),
                ("over_at", models.DateTimeField(null=True, verbose_name="over")),
                ("looked_at", models.DateTimeField(null=True)),
                ("short_provider", models.SlugField(blank=True, db_index=False, max_length=20)),
                ("short_minor", models.PositiveBigIntegerField(default=0)),
                ("request_id", models.CharField(blank=True, max_length=40)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cancellations",
                        to="events.event",
                        verbose_name="event",
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "cancellation",
                "verbose_name_plural": "cancellations",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "withdrawn"), _negated=True),
                        fields=("event",),
                        name="cancellation_one_per_event",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("confirmed_by", models.F("proposed_by")), _negated=True),
                        name="cancellation_takes_two",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("confirmed_at__isnull", True), ("state__in", ["proposed", "withdrawn"])),
                            models.Q(("confirmed_at__isnull", False), ("state__in", ["running", "done"])),
                            _connector="OR",
                        ),
                        name="cancellation_confirmed_before_it_runs",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SandboxAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("currency", models.CharField(max_length=3)),
                ("taken_out_minor", models.BigIntegerField(default=0)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="events.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "currency"), name="sandbox_account_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="EventMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=apps.accounts.ids.new_public_id, editable=False, unique=True)),
                ("was", models.JSONField(default=dict)),
                ("answer_by", models.DateTimeField(verbose_name="answer by")),
                ("remind_at", models.DateTimeField()),
                ("reminded_at", models.DateTimeField(null=True)),
                ("say_sv", models.CharField(blank=True, max_length=200, verbose_name="sentence in Swedish")),
                ("say_en", models.CharField(blank=True, max_length=200, verbose_name="sentence in English")),
                ("announced_at", models.DateTimeField(verbose_name="announced")),
                ("request_id", models.CharField(blank=True, max_length=40)),
                (
                    "announced_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="events.event",
                        verbose_name="event",
                    ),
                ),
            ],
            options={
                "verbose_name": "move",
                "verbose_name_plural": "moves",
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("answer_by__gt", models.F("announced_at"))), name="event_move_leaves_time"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MoveAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("keeps", models.BooleanField()),
                ("at", models.DateTimeField()),
                (
                    "move",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="answers",
                        to="ticketing.eventmove",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="move_answers",
                        to="ticketing.order",
                    ),
                ),
            ],
            options={
                "verbose_name": "answer to a move",
                "verbose_name_plural": "answers to moves",
                "constraints": [models.UniqueConstraint(fields=("move", "order"), name="move_answered_once")],
            },
        ),
    ]
