from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from .views import healthz, logo

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz/", healthz, name="healthz"),
    path("logo", logo, name="logo"),
    path("admin/", admin.site.urls),
    path("", include("oauth.urls")),
    path("", include("monitoring.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"
