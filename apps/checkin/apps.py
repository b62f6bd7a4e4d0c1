"""Makes the door's codes and readers known when Django is ready."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CheckinConfig(AppConfig):
    name = "apps.checkin"
    label = "checkin"
    verbose_name = _("Door")

    def ready(self) -> None:
        from apps.checkin import reasons  # the door's codes become known
        from apps.checkin.extensions import credential_readers
        from apps.checkin.readers import QrReader, ShortCodeReader
        from apps.ticketing.extensions import audit_words

        credential_readers.register(QrReader())
        credential_readers.register(ShortCodeReader())
        audit_words.register(reasons.DoorWords())
