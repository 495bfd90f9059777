from django.db import migrations

# How urgent the steps of a secret's end are, before and since: then 1 within the warning and 2 at the end, now a
# thousand less the days of warning.
STEPS = {1: 970, 2: 1000}


def fill(apps, schema_editor):
    Delivery, DeliveryAlert = (apps.get_model("monitoring", name) for name in ("Delivery", "DeliveryAlert"))
    for delivery in Delivery.objects.select_related("alert__finding").iterator():
        target = f"email:{delivery.address.casefold()}"
        Delivery.objects.filter(pk=delivery.pk).update(target=target, tenant=delivery.alert.finding.tenant_id)
        DeliveryAlert.objects.create(alert_id=delivery.alert_id, delivery_id=delivery.pk, target=target)
    rename_steps(apps, STEPS)


def empty(apps, schema_editor):
    Delivery, DeliveryAlert = (apps.get_model("monitoring", name) for name in ("Delivery", "DeliveryAlert"))
    for carried in DeliveryAlert.objects.order_by("-alert_id").iterator():  # in the end the first of several
        Delivery.objects.filter(pk=carried.delivery_id).update(alert=carried.alert_id)
    DeliveryAlert.objects.all().delete()
    Delivery.objects.update(target=None, tenant=None)
    rename_steps(apps, {new: old for old, new in STEPS.items()})


def rename_steps(apps, steps):
    Finding, Alert = (apps.get_model("monitoring", name) for name in ("Finding", "Alert"))
    for old, new in steps.items():
        Finding.objects.filter(kind="secret_ending", step=old).update(step=new)
        Alert.objects.filter(finding__kind="secret_ending", step=old).update(step=new)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0002_channels_outages_and_more_subjects")]

    operations = [migrations.RunPython(fill, empty)]
