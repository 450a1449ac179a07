"""DashScope's error codes: whose fault a failed task is, for voices and recognition alike.

The status that the documents give a code decides, as it does over HTTP. The exceptions are codes of 400 and
429 that say more than their status does; each has its reason below.

Source: Alibaba Cloud Model Studio, "Error codes", and the server events of CosyVoice and Paraformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
)

# 429 and 503: it works, but not now. Throttling.AllocationQuota is a rate, tokens in a minute, no budget.
_BUSY: Final = (
    *("Throttling", "LimitRequests", "RateLimit"),
    *("ModelServingError", "ModelUnavailable", "ServiceUnavailable", "SystemBusy"),
)
# 401, 403 and 404; and a budget that is spent or was never bought, for which 400 and 429 are too weak a word.
_ACCOUNT: Final = (
    *("InvalidApiKey", "NOT AUTHORIZED", "AccessDenied", "App.AccessDenied", "Model.AccessDenied"),
    *("WorkSpace", "Workspace", "ModelNotFound", "NotFound"),
    *("Arrearage", "AllocationQuota", "CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue"),
)
# 400: all that we send but the words and the sound comes from the instance's line. A voice that is none of
# its model's, a language that the voice does not speak and a model for 8 kHz are told so, and another one has
# a line of its own. CLIENT_ERROR says the same; or both say that nothing was sent for 23 s, as by a user who
# holds the button and is silent, which counts against nobody.
_LINE: Final = (
    *("InvalidParameter", "BadRequest", "InvalidURL", "CLIENT_ERROR"),
    *("UnsupportedModel", "UnsupportedOperation", "UNSUPPORTED", "InvalidFile"),
)
# 400 as well: the words. They are not carried from one service to the next until one of them lets them pass.
_WORDS: Final = ("DataInspectionFailed",)
_FAILED: Final = ("InternalError", "SystemError", "ModelServiceFailed", "RequestTimeOut")

CODES: Final[Mapping[str, type[InstanceError]]] = {
    **dict.fromkeys(_BUSY, InstanceBusy),
    **dict.fromkeys((*_ACCOUNT, *_LINE), InstanceForbidden),
    **dict.fromkeys(_WORDS, ContentRefused),
    **dict.fromkeys(_FAILED, InstanceFailed),
}
"""What codes begin with, and the error that they mean; none begins with another one."""

NO_SPEECH_CODES: Final = (
    *("NO_VALID_AUDIO_ERROR", "NO_INPUT_AUDIO_ERROR"),
    *("SUCCESS_WITH_NO_VALID_FRAGMENT", "ASR_RESPONSE_HAVE_NO_WORDS"),
)
"""What the codes begin with by which a recognition fails that heard no speech, which is nobody's fault."""


def error_of(code: str) -> type[InstanceError]:
    """Return the error that a code means; one that is not known is the service's own."""
    return next((kind for begins, kind in CODES.items() if code.startswith(begins)), InstanceFailed)
