"""Refusals as services word them: about the instance, or about what the user said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import ContentRefused, InstanceFailed, InstanceForbidden, InstanceRefused
from dispatcher.providers.refusals import error_in_answer, status_error

LLM = Instance(service="llm", name="llm-1", endpoint="http://127.0.0.1:1/v1")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            400,
            {
                "error": {
                    "code": "data_inspection_failed",
                    "message": "Input may contain inappropriate content.",
                }
            },
        ),
        (400, {"code": "DataInspectionFailed", "message": "no"}),
        (400, {"error": {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
        (400, {"error": {"code": "content_policy_violation", "message": "Your request was rejected"}}),
        (400, {"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}),
        (400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}),
        (400, {"error": {"message": "输入包含敏感内容"}}),
        (400, {"error": {"code": "InputTextSensitiveContentDetected", "message": "no"}}),
        (400, [{"error": {"code": 400, "status": "PROHIBITED_CONTENT"}}]),
        (403, {"error": {"message": "Your input was flagged by moderation", "code": 403}}),
        (500, {"error": {"message": "Output blocked by content filtering policy"}}),
    ],
)
def test_a_content_filter_counts_against_nobody_and_is_not_carried_on(status: int, body: Any) -> None:
    error = status_error(LLM, status, json.dumps(body))

    assert type(error) is ContentRefused
    assert (error.retryable, error.counts) == (False, False)


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, '{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}', InstanceRefused),
        (400, '{"error":{"message":"too long","code":"context_length_exceeded"}}', InstanceRefused),
        (400, '{"error":{"message":"names are case-sensitive"}}', InstanceRefused),
        (422, '{"detail":[{"loc":["body","x"],"msg":"extra fields not permitted"}]}', InstanceRefused),
        (404, '{"error":"model \'x\' not found"}', InstanceForbidden),
        (402, '{"error":{"message":"Insufficient Balance"}}', InstanceForbidden),
        (403, '{"error":{"message":"Country, region, or territory not supported"}}', InstanceForbidden),
    ],
)
def test_a_refusal_about_the_instance_goes_to_the_next_one_and_counts(
    status: int, said: str, kind: type[Exception]
) -> None:
    error = status_error(LLM, status, said)

    assert type(error) is kind
    assert (error.retryable, error.counts) == (True, True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"detail": [{"loc": 7, "msg": "no"}]}', "7: no"),
        ('{"detail": [{"loc": null, "msg": "no"}]}', ": no"),
        ('{"detail": [{"loc": ["body", 0], "msg": "no"}]}', "body.0: no"),
        (r'{"message": "\ud83d no"}', "\ufffd no"),
        ('{"message": ' + "[" * 900 + "]" * 900 + "}", '{"message": [['),
    ],
)
def test_a_refusal_of_any_form_has_words_that_can_be_sent_on(said: str, reason: str) -> None:
    error = status_error(LLM, 400, said)

    assert reason in str(error)
    str(error).encode()


@pytest.mark.parametrize("code", ["9" * 5_000, "42", "٤٢٩", "4290"])
def test_a_code_that_is_no_status_is_the_instances_fault(code: str) -> None:
    assert type(error_in_answer(LLM, {"code": code, "message": "no"})) is InstanceFailed
