from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bundled.request_errors import RequestError
from dispatcher.bundled.routes.multipart_form import read_form

TYPE = "multipart/form-data; boundary=cut"


def body(*parts: tuple[str, bytes]) -> bytes:
    written = b"".join(
        b'--cut\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: x/y\r\n\r\n%s\r\n'
        % (name.encode(), content)
        for name, content in parts
    )
    return written + b"--cut--\r\n"


def test_fields_come_out_as_they_went_in() -> None:
    parts = (("file", b"\x00\r\n--\r\n\xff"), ("language", "中文".encode()), ("empty", b""))
    assert read_form(body(*parts), TYPE) == dict(parts)


@given(st.binary(max_size=200))
def test_any_bytes_survive_unless_they_hold_the_boundary(content: bytes) -> None:
    if b"\r\n--cut" in b"\r\n" + content:
        return
    assert read_form(body(("file", content)), TYPE) == {"file": content}


@pytest.mark.parametrize("name", ['name="file"', "name=file", 'NAME="file"; filename="name=x.wav"'])
def test_the_name_is_found_however_it_is_written(name: str) -> None:
    written = f"--cut\r\ncontent-disposition: form-data; {name}\r\n\r\nx\r\n--cut--".encode()
    assert read_form(written, TYPE) == {"file": b"x"}


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "text/plain; boundary=cut"]
)
def test_another_content_type_is_refused_with_what_was_expected(content_type: str) -> None:
    with pytest.raises(RequestError, match="expected multipart/form-data with a boundary"):
        read_form(body(), content_type)


@given(st.binary(max_size=300))
def test_garbage_is_no_crash(garbage: bytes) -> None:
    assert isinstance(read_form(garbage, TYPE), dict)
