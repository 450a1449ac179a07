"""Form of speech by its first bytes: services send errors as audio, and one form under the type of another.

Sources: lucasjinreal/Kokoros #63 (WAV whatever was asked), RFC 9639 (FLAC), ISO 13818-7 (ADTS), ISO 11172-3.
"""

from __future__ import annotations

from typing import Final

from dispatcher.errors import AudioError
from dispatcher.messages import SpeechFormat

# Long enough for a frame of MP3 at the rates of speech and the header behind it.
_MP3_BYTES: Final = 600
_MAGIC_BYTES: Final = 8
# All forms begin with these; a text that is as short is a broken file.
_MAGICS: Final = (b"RIFF", b"OggS", b"ID3", b"fLaC", b"caff", b"FORM", b"#!AMR")
# An error is told in fewer bytes; sound that looks like text for so long does not occur.
_TEXT_BYTES: Final = 64
_UNREAD: Final = {b"fLaC": "FLAC", b"\x1aE\xdf\xa3": "WebM", b"caff": "CAF", b"FORM": "AIFF", b"#!AMR": "AMR"}
_BITRATES_KBPS: Final = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def is_undecided(begun: bytes, *, certain: bool) -> bool:
    """Return whether more bytes are needed to tell what comes; PCM is let through at its first samples."""
    if not begun:
        return True
    if _is_printable(begun[:_TEXT_BYTES]):
        return len(begun) < _TEXT_BYTES
    if certain:
        return False
    return len(begun) < (_MP3_BYTES if begun[:1] == b"\xff" and _may_be_mp3(begun) else _MAGIC_BYTES)


def is_text(begun: bytes) -> bool:
    """Return whether speech is a text, such as an error in JSON or a page of HTML."""
    return not begun.startswith(_MAGICS) and _is_printable(begun[:_TEXT_BYTES])


def _is_printable(head: bytes) -> bool:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or error.reason != "unexpected end of data":
            return False
        text = head[: error.start].decode("utf-8-sig")
    return bool(text.strip()) and all(sign.isprintable() or sign in "\r\n\t" for sign in text)


def kind_of(begun: bytes, claimed: SpeechFormat) -> SpeechFormat:
    """Return the form that the first bytes show; the claimed one where they show none, as those of PCM.

    Raises:
        AudioError: they show a form that is not read here.
    """
    if begun.startswith(b"RIFF") and begun[8:12] in (b"WAVE", b""):
        return "wav"
    if begun.startswith(b"OggS"):
        return "opus"
    if begun.startswith(b"ID3") or (begun[:1] == b"\xff" and _is_mp3(begun)):
        return "mp3"
    unread = next((name for magic, name in _UNREAD.items() if begun.startswith(magic)), "")
    if not unread and begun[4:8] == b"ftyp":
        unread = "MP4"
    if not unread and begun[:2] in (b"\xff\xf1", b"\xff\xf9") and claimed != "pcm":
        unread = "AAC"
    if unread:
        raise AudioError(f"it is {unread}, expected PCM, WAV, MP3 or Ogg Opus; `format: wav` may help")
    return claimed


def _may_be_mp3(begun: bytes) -> bool:
    return len(begun) < 4 or _frame_bytes(begun) > 0


def _is_mp3(begun: bytes) -> bool:
    """Return whether a frame of MPEG layer III begins here, and the next one where it ends."""
    length = _frame_bytes(begun)
    return bool(length) and _frame_bytes(begun[length:]) > 0 if length + 4 <= len(begun) else False


def _frame_bytes(header: bytes) -> int:
    """Return the length of the frame of layer III that begins here, 0 where none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate_at, rate_at = (header[1] >> 3) & 3, header[2] >> 4, (header[2] >> 2) & 3
    if version == 1 or bitrate_at in (0, 15) or rate_at == 3:
        return 0
    bitrate = _BITRATES_KBPS[3 if version == 3 else 2][bitrate_at] * 1000
    return (144 if version == 3 else 72) * bitrate // _RATES_HZ[version][rate_at] + ((header[2] >> 1) & 1)
