from django.urls import path

from . import views

app_name = "monitoring"

urlpatterns = [
    path("healthz/watch/", views.watch_health, name="watch"),
    path("metrics", views.prometheus, name="metrics"),
    path("calendar/<str:token>/expiries.ics", views.expiries_feed, name="expiries"),
]
