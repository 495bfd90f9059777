import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.fields


class Migration(migrations.Migration):
    dependencies = [
        ("oauth", "0005_link_public_id_required"),
        ("tenants", "0002_redirect_uri"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("address", models.EmailField(max_length=254)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "waiting"), ("sent", "sent"), ("set_aside", "set aside")],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("tries", models.JSONField(default=list, help_text="One entry a try: when, and what went wrong.")),
                ("next_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lease_by", models.UUIDField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("invitation", "the link"),
                            ("notice", "notice of a connection"),
                            ("approved", "notice of an approval"),
                            ("mismatch", "notice of another account"),
                            ("disconnected", "confirmation of an end"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("token", tenants.fields.SealedField(null=True, place="oauth.mail.token")),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.AlterModelOptions(
            name="link",
            options={"ordering": ["-created_at"]},
        ),
        migrations.AddField(
            model_name="consentattempt",
            name="next_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="consentattempt",
            name="told_code",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="consentattempt",
            name="way",
            field=models.CharField(
                choices=[("sign_in", "sign-in"), ("approval", "approval for the organization")],
                default="sign_in",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="link",
            name="connection",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="links",
                to="oauth.connection",
            ),
        ),
        migrations.AddField(
            model_name="link",
            name="expected_address",
            field=models.EmailField(blank=True, max_length=320, verbose_name="expected account"),
        ),
        migrations.AddField(
            model_name="link",
            name="expected_directory",
            field=models.CharField(blank=True, max_length=253, verbose_name="expected directory"),
        ),
        migrations.AddField(
            model_name="link",
            name="from_copy",
            field=models.BooleanField(default=False, editable=False, verbose_name="for whoever had a copied address"),
        ),
        migrations.AddField(
            model_name="link",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="children",
                to="oauth.link",
            ),
        ),
        migrations.AddField(
            model_name="link",
            name="return_url",
            field=models.CharField(blank=True, max_length=300, verbose_name="return URL"),
        ),
        migrations.AddField(
            model_name="link",
            name="sending",
            field=models.UUIDField(editable=False, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="link",
            name="sent_to",
            field=models.EmailField(blank=True, editable=False, max_length=254, verbose_name="for"),
        ),
        migrations.AlterField(
            model_name="consentattempt",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("connected", "connected"),
                    ("connected_with_less", "connected, with fewer scopes than asked"),
                    ("approved", "approved for the organization"),
                    ("declined", "declined"),
                    ("cancelled", "came back without an answer; an administrator's approval is probably needed"),
                    ("refused", "refused by Microsoft"),
                    ("rejected", "answer refused here"),
                    ("unreachable", "Microsoft could not be reached"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="link",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("consent", "consent"),
                    ("approval", "approval by an administrator"),
                    ("reconnect", "reconnect"),
                    ("disconnect", "disconnect"),
                ],
                default="consent",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="AdminGrant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tid", models.UUIDField(verbose_name="directory")),
                ("client_id", models.CharField(max_length=36, verbose_name="granted to client ID")),
                (
                    "scopes",
                    models.JSONField(
                        default=list, help_text="Permissions asked for, or those read from the directory."
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("reported", "reported"), ("seen", "seen"), ("verified", "verified")],
                        default="reported",
                        max_length=10,
                    ),
                ),
                ("reported_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                ("verified_at", models.DateTimeField(blank=True, null=True)),
                ("doubted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "look_at",
                    models.DateTimeField(
                        blank=True, help_text="When the directory's list is to be read next.", null=True
                    ),
                ),
                ("looks", models.PositiveSmallIntegerField(default=0)),
                (
                    "registration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="admin_grants",
                        to="tenants.appregistration",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="admin_grants", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "verbose_name": "administrator's approval",
                "verbose_name_plural": "administrators' approvals",
                "ordering": ["-reported_at"],
            },
        ),
        migrations.AddField(
            model_name="consentattempt",
            name="grant",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="attempts", to="oauth.admingrant"
            ),
        ),
        migrations.AddIndex(
            model_name="consentattempt",
            index=models.Index(
                condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="attempt_try_again"
            ),
        ),
        migrations.AddIndex(
            model_name="consentattempt",
            index=models.Index(
                condition=models.Q(("flow__isnull", False)), fields=["expires_at"], name="attempt_flow_kept"
            ),
        ),
        migrations.AddField(
            model_name="mail",
            name="link",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="mails", to="oauth.link"),
        ),
        migrations.AddIndex(
            model_name="admingrant",
            index=models.Index(
                condition=models.Q(("look_at__isnull", False)), fields=["look_at"], name="admin_grant_to_look_at"
            ),
        ),
        migrations.AddConstraint(
            model_name="admingrant",
            constraint=models.UniqueConstraint(
                models.F("registration"), models.F("tenant"), models.F("tid"), name="admin_grant_once"
            ),
        ),
        migrations.AddIndex(
            model_name="mail",
            index=models.Index(fields=["state", "next_at"], name="mail_due"),
        ),
    ]
