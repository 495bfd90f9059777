import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import tenants.fields


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_export_secrets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("csv", "CSV"), ("json", "JSON"), ("env", "Cypht's .env")], max_length=10
                    ),
                ),
                ("file_name", models.CharField(max_length=100, verbose_name="file")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("checking", "being checked"),
                            ("checked", "checked"),
                            ("writing", "being imported"),
                            ("done", "imported"),
                            ("cancelled", "cancelled"),
                            ("abandoned", "abandoned"),
                            ("failed", "failed"),
                        ],
                        default="checking",
                        max_length=10,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=400)),
                ("total", models.PositiveIntegerField(default=0, verbose_name="rows")),
                ("seen", models.PositiveIntegerField(default=0, verbose_name="rows checked")),
                ("new", models.PositiveIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("wrong", models.PositiveIntegerField(default=0)),
                ("address", models.GenericIPAddressField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="uploaded")),
                ("finished_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                ("lease_by", models.UUIDField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ImportRow",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField(verbose_name="row")),
                ("cells", models.JSONField(default=dict)),
                ("secret", tenants.fields.SealedField(null=True, place="tenants.importrow.secret")),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("new", "new"),
                            ("changed", "changed"),
                            ("unchanged", "unchanged"),
                            ("wrong", "wrong"),
                        ],
                        max_length=10,
                    ),
                ),
                ("errors", models.JSONField(default=list)),
                ("hints", models.JSONField(default=list)),
                ("changes", models.JSONField(default=dict)),
                ("plan", models.JSONField(default=dict)),
                ("state_seen", models.CharField(blank=True, max_length=64)),
                (
                    "registration",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.appregistration",
                    ),
                ),
                (
                    "upload",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rows", to="tenants.import"
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "indexes": [models.Index(fields=["upload", "outcome", "number"], name="import_row_outcome")],
                "constraints": [
                    models.UniqueConstraint(models.F("upload"), models.F("number"), name="import_row_once")
                ],
            },
        ),
    ]
