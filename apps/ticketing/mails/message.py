"""A message whose pictures stand beside the HTML that shows them, and whose files come after both."""

from __future__ import annotations

from email.mime.image import MIMEImage
from typing import Any

from django.core.mail import EmailMultiAlternatives, SafeMIMEMultipart


class Message(EmailMultiAlternatives):
    """Django puts pictures among the files, where some mail programs list them as files. RFC 2387 wants

    mixed(related(alternative(text, HTML), pictures), files)

    Pictures are attached as MIMEImage with a Content-ID, files as anything else.
    """

    def _create_alternatives(self, msg: Any) -> Any:
        whole = super()._create_alternatives(msg)  # type: ignore[misc]
        pictures = [part for part in self.attachments if isinstance(part, MIMEImage)]
        if not pictures:
            return whole
        related = SafeMIMEMultipart(_subtype="related", encoding=self.encoding)
        for part in (whole, *pictures):
            related.attach(part)
        return related

    def _create_attachments(self, msg: Any) -> Any:
        everything = self.attachments
        self.attachments = [part for part in everything if not isinstance(part, MIMEImage)]
        try:
            return super()._create_attachments(msg)  # type: ignore[misc]
        finally:
            self.attachments = everything
