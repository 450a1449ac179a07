"""Numbers, dates, units and signs as they are said."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.speech_text.normalization import Language, normalize

CHINESE = [
    ("2026-11-30", "二零二六年十一月三十日"),
    ("2023/12/25和2024.1.5", "二零二三年十二月二十五日和二零二四年一月五日"),
    ("2026-13-45", "两千零二十六杠十三杠四十五"),
    ("2026年11月30日", "二零二六年十一月三十日"),
    ("2020-2024年，08年", "二零二零到二零二四年，零八年"),
    ("1990s，1990年代，95后", "一九九零年代，一九九零年代，九五后"),
    ("2026-11-30T08:30:00Z", "二零二六年十一月三十日 八点三十分零秒"),
    ("30/11/2026，30.11.2026", "二零二六年十一月三十日，二零二六年十一月三十日"),
    ("3½杯，b²-4ac", "三又二分之一杯，b的平方减四ac"),
    ("现在是3:05", "现在是三点零五分"),
    ("3:05 pm", "下午三点零五分"),
    ("下午3:00 PM", "下午三点"),
    ("8:00 a.m.", "上午八点"),
    ("12:30:05", "十二点三十分零五秒"),
    ("2:00，22:00，0:05", "两点，二十二点，零点零五分"),
    ("8:00-17:30", "八点到十七点三十分"),
    ("比分是3:2", "比分是三比二"),
    ("他们以21:15获胜", "他们以二十一比十五获胜"),
    ("比例16:10，地图1:1000", "比例十六比十，地图一比一千"),
    ("¥12.50", "十二点五元"),
    ("$1,299.99", "一千二百九十九点九九美元"),
    ("¥10-20，-$5，¥1.5亿", "十到二十元，负五美元，一点五亿元"),
    ("12.00元，1,200元", "十二元，一千二百元"),
    ("38.5℃", "三十八点五摄氏度"),
    ("-5°C", "零下五摄氏度"),
    ("今天-5度，25度", "今天零下五度，二十五度"),
    ("70°F", "七十华氏度"),
    ("-5~10℃", "零下五到十摄氏度"),
    ("20-25℃", "二十到二十五摄氏度"),
    ("时速5km/h", "时速五公里每小时"),
    ("2 kg，5m²，500ml，北纬30°", "两公斤，五平方米，五百毫升，北纬三十度"),
    ("主频2.5GHz", "主频二点五吉赫兹"),
    ("血压120/80mmHg", "血压一百二十比八十毫米汞柱"),
    ("1/2", "二分之一"),
    ("3 1/2杯，½杯，10/2=5", "三又二分之一杯，二分之一杯，十除以二等于五"),
    ("50%，10%-20%，5‰", "百分之五十，百分之十到百分之二十，千分之五"),
    ("10~20", "十到二十"),
    ("2-3天，10 – 20人", "二到三天，十到二十人"),
    ("3-2-1，5-3=2，2-1", "三杠二杠一，五减三等于二，二杠一"),
    ("比分3-1", "比分三比一"),
    ("138-0013-8000", "幺三八零零幺三八零零零"),
    ("13800138000", "幺三八零零幺三八零零零"),
    ("0571-88888888，400-123-4567", "零五七幺八八八八八八八八，四零零幺二三四五六七"),
    ("拨打110，110个", "拨打幺幺零，一百一十个"),
    ("验证码是123456", "验证码是幺二三四五六"),
    ("302房间，G102次列车", "三零二房间，G幺零二次列车"),
    ("No.5，#3", "五号，三号"),
    ("A4纸，GPT-4o，H264，MP3", "A四纸，GPT四o，H二六四，MP三"),
    ("v1.2.3版，192.168.1.1", "v一点二点三版，一九二点一六八点一点一"),
    ("1080p，4K", "一零八零P，四K"),
    ("第3名，1st，第III章，Ⅲ级", "第三名，第一，第三章，三级"),
    ("①打开②关闭", "一、打开二、关闭"),
    ("x²+y²=r³，2ⁿ，10²³，2^8", "x的平方加y的平方等于r的立方，二的n次方，十的二十三次方，二的八次方"),
    ("1e5，√2≈1.414", "一乘以十的五次方，根号二约等于一点四一四"),
    ("5×3=15，3*4=12，5 - 3", "五乘以三等于十五，三乘四等于十二，五减三"),
    ("a<b 并且 c>d", "a小于b 并且 c大于d"),
    ("2个苹果，12个梨，2000元，2万", "两个苹果，十二个梨，两千元，两万"),
    ("007，12345678901234元", "零零七，十二万三千四百五十六亿七千八百九十万一千二百三十四元"),
    ("-3.5，１２％", "负三点五，百分之十二"),
    ("18+，C++，约~5天", "十八加，C加加，约五天"),
    ("好的～没有数字", "好的没有数字"),
    ("12/25/2026，-0.5%，100USD", "二零二六年十二月二十五日，负百分之零点五，一百美元"),
    ("7x24小时，H₂O", "七乘二十四小时，H二O"),
]
ENGLISH = [
    ("30/11/2026", "November thirtieth, twenty twenty-six"),
    ("30.11.2026", "November thirtieth, twenty twenty-six"),
    ("3½ cups", "three and a half cups"),
    ("NT$100", "one hundred Taiwan dollars"),
    ("Call 13800138000", "Call one three eight zero zero one three eight zero zero zero"),
    ("15000000000 stars", "fifteen billion stars"),
    ("010-62345678", "zero one zero, six two three four five six seven eight"),
    ("x²+y², b²-4", "x squared plus y squared, b squared minus four"),
    ("+5 degrees", "plus five degrees"),
    ("2026-11-30", "November thirtieth, twenty twenty-six"),
    (
        "11/30/2026 or 13/40/2026",
        "November thirtieth, twenty twenty-six or thirteen/forty/twenty twenty-six",
    ),
    ("Nov 30, 2026 and Dec. 5th", "November thirtieth, twenty twenty-six and December fifth"),
    ("3:05", "three oh five"),
    ("3:05 pm, 3:00 pm, 8 a.m. today", "three oh five PM, three PM, eight AM today"),
    ("3:00, 15:00, 15:30", "three o'clock, fifteen hundred hours, fifteen thirty"),
    ("12:30:05", "twelve thirty and five seconds"),
    ("the score was 3:2, a ratio of 16:10", "the score was three to two, a ratio of sixteen to ten"),
    ("$12.50", "twelve dollars and fifty cents"),
    ("$1,299.99", "one thousand two hundred ninety-nine dollars and ninety-nine cents"),
    ("$1, $0.99, £2.05, $0", "one dollar, ninety-nine cents, two pounds and five pence, zero dollars"),
    ("$5 million, $3k, -$5", "five million dollars, three thousand dollars, minus five dollars"),
    (
        "$10-20, ¥12.50, €5.125",
        "ten to twenty dollars, twelve point five yuan, five point one two five euros",
    ),
    ("38.5°C", "thirty-eight point five degrees Celsius"),
    (
        "-5°C, 70°F, 20-25℃",
        "minus five degrees Celsius, seventy degrees Fahrenheit, twenty to twenty-five degrees Celsius",
    ),
    ("1°C", "one degree Celsius"),
    ("50%, 10-20%", "fifty percent, ten to twenty percent"),
    ("10~20, 10–20", "ten to twenty, ten to twenty"),
    ("1/2, 3/4, 2/3, 1/8", "one half, three quarters, two thirds, one eighth"),
    ("2 1/2 cups, 1 2/3 cups, 24/7", "two and a half cups, one and two thirds cups, twenty-four seven"),
    ("10/2=5, 5 - 3 = 2", "ten divided by two equals five, five minus three equals two"),
    (
        "5km/h, 1kg, 6 ft, 2.5GHz",
        "five kilometers per hour, one kilogram, six feet, two point five gigahertz",
    ),
    ("BP 120/80 mmHg", "BP one hundred twenty over eighty millimeters of mercury"),
    ("No.5, #5", "number five, number five"),
    ("A4, GPT-4o, H264, iPhone 15", "A four, GPT four o, H two six four, iPhone fifteen"),
    ("1st, 12th, 21st, 30th, 100th", "first, twelfth, twenty-first, thirtieth, one hundredth"),
    ("1990s, '90s, 2000s", "nineteen nineties, nineties, two thousands"),
    (
        "in 1998, in 1905, in 1900, in 2006",
        "in nineteen ninety-eight, in nineteen oh five, in nineteen hundred, in two thousand six",
    ),
    ("1500 people, 2026 was good", "one thousand five hundred people, twenty twenty-six was good"),
    ("Room 302, Flight 102", "Room three oh two, Flight one oh two"),
    (
        "v1.2.3 at 192.168.1.1",
        "v one point two point three at one nine two point one six eight point one point one",
    ),
    (
        "555-123-4567, 555-1234",
        "five five five, one two three, four five six seven, five five five, one two three four",
    ),
    ("code 1234", "code one two three four"),
    ("1-2-3, 1080p, 4K", "one dash two dash three, ten eighty P, four K"),
    ("Dr. Wu, e.g. this", "Doctor Wu, for example, this"),
    ("St. John on Main St.", "Saint John on Main Street"),
    ("World War II", "World War two"),
    (
        "x² + y² = r³, 2ⁿ, 10^6",
        "x squared plus y squared equals r cubed, two to the power of n, ten to the power of six",
    ),
    ("1e5, 3 x 4, 18+", "one times ten to the power of five, three times four, eighteen plus"),
    ("a<b, AT&T, ~5 minutes", "a less than b, AT and T, about five minutes"),
    (
        "1,234,567 and 0.5 and -3",
        ("one million two hundred thirty-four thousand five hundred sixty-seven and zero point five "
        "and minus three"),
    ),
    (
        "007, 12345678901234567",
        ("zero zero seven, one two three four five six seven eight nine zero one two three four "
        "five six seven"),
    ),
    ("5 May 2026, 2nd of May", "fifth of May twenty twenty-six, second of May"),
    ("11-30-2026", "November thirtieth, twenty twenty-six"),
    ("7:00-9:30, 3x4", "seven o'clock to nine thirty, three times four"),
    ("USD 50, 50 USD, 911, 9/11", "fifty dollars, fifty dollars, nine one one, nine eleven"),
    ("5'10\"", "five foot ten"),
    ("π ≈ 3.14", "pi approximately three point one four"),
    ("5x faster", "five x faster"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), CHINESE)
def test_what_is_written_in_digits_is_said_in_chinese(written: str, said: str) -> None:
    assert normalize(written, "zh") == said


@pytest.mark.parametrize(("written", "said"), ENGLISH)
def test_what_is_written_in_digits_is_said_in_english(written: str, said: str) -> None:
    assert normalize(written, "en") == said


@pytest.mark.parametrize("language", ["zh", "en", "auto"])
def test_each_sentence_is_said_in_its_own_language(language: Language) -> None:
    assert normalize("It is 3:05. 现在是3:05。It was 5.", language) == (
        "It is three oh five. 现在是三点零五分。It was five."
    )


ANYTHING = st.lists(
    st.sampled_from([
        *"0123456789.,:/-~%$¥°+*=^² ()。，年月日个元度CFmkAax第№①Ⅳ½\n",
        "2026-11-30", "12:30", "km/h", "GPT-4", "1st", "1990s", "St.", "pm", "比分",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


@given(ANYTHING | st.text(max_size=40), st.sampled_from(["zh", "en", "auto"]))
def test_whatever_is_written_only_words_are_left(written: str, language: Language) -> None:
    said = normalize(written, language)
    assert not any(digit in said for digit in "0123456789")
    assert len(said) <= 40 * len(written) + 40
    assert normalize(said, language) == normalize(normalize(said, language), language)


@given(st.text(alphabet="你好吗abc，。 !", max_size=40), st.sampled_from(["zh", "en", "auto"]))
def test_words_are_left_as_they_are(written: str, language: Language) -> None:
    letters = [each for each in written if each.isalpha()]
    assert [each for each in normalize(written, language) if each.isalpha()] == letters


@pytest.mark.parametrize(
    "unit", ["1", "1,", "1.", "1-", "1:", "1/", "a1", "-", "~", "$", "1 ", "第", "No.", "+", "Jan "]
)
def test_a_hostile_text_takes_no_longer_than_any_other(unit: str) -> None:
    started_at = time.process_time()
    normalize(unit * (20_000 // len(unit)), "zh")
    normalize(unit * (20_000 // len(unit)), "en")
    assert time.process_time() - started_at < 2
