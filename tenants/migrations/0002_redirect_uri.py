import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="RedirectURI",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("use", models.CharField(choices=[("return", "return URL")], default="return", max_length=10)),
                ("uri", models.CharField(max_length=300, verbose_name="URI")),
                (
                    "registration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="redirect_uris",
                        to="tenants.appregistration",
                    ),
                ),
            ],
            options={
                "verbose_name": "redirect URI",
                "ordering": ["uri"],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("registration"), models.F("use"), models.F("uri"), name="redirect_uri_once"
                    )
                ],
            },
        ),
    ]
