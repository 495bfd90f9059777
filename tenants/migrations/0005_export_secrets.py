from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_redirect_uris_and_no_client_id_yet"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="credential",
            options={"ordering": ["-created_at"], "permissions": [("export_secrets", "Can export client secrets")]},
        ),
    ]
