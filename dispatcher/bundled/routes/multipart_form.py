"""multipart/form-data, read from memory."""

from __future__ import annotations

import re
from email.message import Message
from typing import Final

from dispatcher.bundled.request_errors import RequestError, shown

_FIELD_NAME: Final = re.compile(
    rb'^content-disposition:.*?[;\s]name=(?:"([^"]*)"|([^;\s]+))', re.IGNORECASE | re.MULTILINE
)


def read_form(body: bytes, content_type: str) -> dict[str, bytes]:
    """Return the fields by name; of two with one name the last counts.

    aiohttp's reader takes 0.3 ms for the 48 kB of a short utterance, which counts on an instance that
    two hundred devices share; this one takes 0.02 ms, as the whole body is in memory anyway.

    Raises:
        RequestError: the body is no form.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise RequestError(
            f"Content-Type was {shown(content_type)}; expected multipart/form-data with a boundary",
            code="invalid_form",
        )
    fields: dict[str, bytes] = {}
    # The first boundary has no line end before it; with one added all are alike.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head)
        if blank and name is not None:
            fields[(name[1] or name[2]).decode("utf-8", "replace")] = content
    return fields
