"""Local time for an LLM: in the user's language, in the newest message, in the zone of the house."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dispatcher.dialogue.local_time import local_time, with_local_time

SHANGHAI = datetime(2026, 11, 30, 0, 38, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_the_time_is_told_in_the_language_of_the_user() -> None:
    assert local_time(SHANGHAI, language="en") == "Monday, 30 November 2026, 00:38 (Asia/Shanghai, UTC+08:00)"
    assert local_time(SHANGHAI, language="zh") == "2026年11月30日 星期一 00:38（Asia/Shanghai, UTC+08:00）"
    assert local_time(SHANGHAI, language="auto").startswith("Monday")


def test_a_zone_without_a_name_is_told_by_its_offset() -> None:
    india = datetime(2026, 3, 1, 23, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert local_time(india, language="en") == "Sunday, 1 March 2026, 23:05 (UTC+05:30)"
    assert local_time(datetime(2026, 1, 4, 9, 0, tzinfo=UTC), language="zh").endswith(
        "星期日 09:00（UTC+00:00）"
    )


def test_the_time_stands_behind_what_the_user_said() -> None:
    told = with_local_time("What day is it?", SHANGHAI, language="en", place="Shenzhen")
    assert told.split("\n") == [
        "What day is it?",
        "[Current time: Monday, 30 November 2026, 00:38 (Asia/Shanghai, UTC+08:00); place: Shenzhen]",
    ]
    told = with_local_time("今天星期几？", SHANGHAI, language="zh", place="深圳")
    assert (
        told
        == "今天星期几？\n[当前时间：2026年11月30日 星期一 00:38（Asia/Shanghai, UTC+08:00）；地点：深圳]"
    )
    assert "place" not in with_local_time("Hi", SHANGHAI, language="en")
    assert "地点" not in with_local_time("你好", SHANGHAI, language="zh")
