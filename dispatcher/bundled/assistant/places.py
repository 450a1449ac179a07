"""Time zones of cities and countries, by the names that people say."""

from __future__ import annotations

from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

# Names that are no IANA city; English words are looked up in lower case.
_NAMES: Final[dict[str, str]] = {
    "Asia/Shanghai": "beijing china guangzhou shenzhen hangzhou nanjing chengdu wuhan xian tianjin"
    " 北京 上海 中国 广州 深圳 杭州 南京 成都 武汉 西安 天津 苏州 青岛 厦门 长沙 沈阳 大连 昆明 哈尔滨",
    "Asia/Chongqing": "重庆",
    "Asia/Hong_Kong": "香港",
    "Asia/Macau": "macao 澳门",
    "Asia/Taipei": "taiwan 台北 台湾",
    "Asia/Tokyo": "japan osaka kyoto 东京 日本 大阪 京都",
    "Asia/Seoul": "south_korea korea busan 首尔 韩国 釜山",
    "Asia/Singapore": "新加坡",
    "Asia/Kuala_Lumpur": "malaysia 吉隆坡 马来西亚",
    "Asia/Bangkok": "thailand 曼谷 泰国",
    "Asia/Ho_Chi_Minh": "vietnam hanoi ho_chi_minh_city 越南 河内 胡志明市",
    "Asia/Manila": "philippines the_philippines 马尼拉 菲律宾",
    "Asia/Jakarta": "雅加达",
    "Asia/Kolkata": "india delhi new_delhi mumbai bangalore chennai 印度 新德里 孟买",
    "Asia/Karachi": "pakistan islamabad lahore 巴基斯坦",
    "Asia/Dubai": "abu_dhabi united_arab_emirates 迪拜",
    "Asia/Jerusalem": "israel tel_aviv 耶路撒冷 以色列",
    "Asia/Riyadh": "saudi_arabia 沙特",
    "Asia/Tehran": "iran 德黑兰 伊朗",
    "Europe/Istanbul": "turkey ankara 伊斯坦布尔 土耳其",
    "Europe/Moscow": "saint_petersburg st_petersburg 莫斯科",
    "Europe/Kyiv": "ukraine kiev 基辅 乌克兰",
    "Europe/London": "england uk the_uk britain great_britain united_kingdom scotland wales"
    " the_united_kingdom manchester liverpool edinburgh glasgow oxford cambridge 伦敦 英国 曼彻斯特 爱丁堡",
    "Europe/Dublin": "ireland 都柏林 爱尔兰",
    "Europe/Paris": "france lyon marseille 巴黎 法国",
    "Europe/Berlin": "germany munich hamburg frankfurt cologne 柏林 德国 慕尼黑 汉堡 法兰克福",
    "Europe/Rome": "italy milan venice florence 罗马 意大利 米兰",
    "Europe/Madrid": "barcelona 马德里 巴塞罗那",
    "Europe/Amsterdam": "netherlands the_netherlands holland 阿姆斯特丹 荷兰",
    "Europe/Brussels": "belgium 布鲁塞尔 比利时",
    "Europe/Zurich": "switzerland geneva bern 苏黎世 日内瓦 瑞士",
    "Europe/Vienna": "austria 维也纳 奥地利",
    "Europe/Prague": "czech_republic 布拉格 捷克",
    "Europe/Warsaw": "poland 华沙 波兰",
    "Europe/Athens": "greece 雅典 希腊",
    "Europe/Stockholm": "sweden 斯德哥尔摩 瑞典",
    "Europe/Oslo": "norway 奥斯陆 挪威",
    "Europe/Copenhagen": "denmark 哥本哈根 丹麦",
    "Europe/Helsinki": "finland 赫尔辛基 芬兰",
    "Atlantic/Reykjavik": "iceland 冰岛",
    "Africa/Cairo": "egypt 开罗 埃及",
    "Africa/Johannesburg": "south_africa cape_town 南非 开普敦",
    "Africa/Nairobi": "kenya 内罗毕 肯尼亚",
    "Africa/Lagos": "nigeria",
    "America/New_York": "new_york_city nyc washington washington_dc boston philadelphia miami atlanta"
    " washington_d_c 纽约 华盛顿 波士顿 费城 迈阿密",
    "America/Chicago": "houston dallas austin 芝加哥 休斯顿",
    "America/Denver": "丹佛",
    "America/Los_Angeles": "la california san_francisco seattle san_diego las_vegas silicon_valley"
    " 洛杉矶 旧金山 西雅图 加州 硅谷 拉斯维加斯",
    "America/Toronto": "montreal ottawa 多伦多 渥太华",
    "America/Vancouver": "温哥华",
    "America/Mexico_City": "墨西哥城",
    "America/Sao_Paulo": "rio rio_de_janeiro 圣保罗 里约",
    "America/Argentina/Buenos_Aires": "argentina buenos_aires 布宜诺斯艾利斯 阿根廷",
    "Pacific/Honolulu": "hawaii 夏威夷",
    "Pacific/Auckland": "new_zealand wellington 奥克兰 新西兰",
    "Australia/Sydney": "canberra 悉尼 堪培拉",
    "Australia/Melbourne": "墨尔本",
    "Australia/Perth": "珀斯",
    "UTC": "utc gmt",
}  # fmt: skip
# Where the zones of their cities begin.
_MANY_ZONES: Final[dict[str, str]] = {
    word.replace("_", " "): zones
    for zones, words in {
        "America/": "america usa the_usa us the_us united_states the_united_states canada brazil mexico chile"
        " 美国 加拿大 巴西 墨西哥",
        "Australia/": "australia 澳大利亚 澳洲",
        "Europe/": "russia spain europe 俄罗斯 西班牙 欧洲",
        "Asia/": "indonesia asia 印尼",
        "Africa/": "africa 非洲",
    }.items()
    for word in words.split()
}
_CONTINENTS: Final = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Pacific/")
_NO_CITIES: Final = frozenset(
    "north south west act nsw lhi easter indiana samoa norfolk victoria urumqi kashgar".split()
)
_IN_CAPITALS: Final = ("us", "usa", "uk", "la", "nyc", "utc", "gmt")
_SMALL: Final = ("the", "of", "and")


@cache
def zones() -> dict[str, str]:
    """Return zone names by city or country; read once, as it costs tens of milliseconds."""
    # Of names with three parts, such as America/Argentina/San_Juan, another place is better known.
    found = {
        name.rpartition("/")[2].replace("_", " ").lower(): name
        for name in available_timezones()
        if name.startswith(_CONTINENTS) and name.count("/") == 1
    }
    told = {word.replace("_", " "): zone for zone, words in _NAMES.items() for word in words.split()}
    return {name: zone for name, zone in (found | told).items() if name not in _NO_CITIES}


def zone_of(place: str) -> ZoneInfo | None:
    """Return the zone of a city, of a country with one zone, or of a city with its country beside it."""
    place = place.removesuffix("市")
    if place in _MANY_ZONES:
        return None
    known = zones()
    if place in known:
        return ZoneInfo(known[place])
    for one, other in _halves(place):
        for city, country in ((one, other), (other, one)):
            zone = known.get(city, "")
            if zone and (zone == known.get(country) or zone.startswith(_MANY_ZONES.get(country, "?"))):
                return ZoneInfo(zone)
    return None


def _halves(place: str) -> list[tuple[str, str]]:
    parts = place.split() if place.isascii() else list(place)
    separator = " " if place.isascii() else ""
    return [(separator.join(parts[:cut]), separator.join(parts[cut:])) for cut in range(1, len(parts))]


def has_many_zones(place: str) -> bool:
    """Return whether a country or continent has several zones, so that a city must be named."""
    return place in _MANY_ZONES


def spoken_place(place: str) -> str:
    """Return the name of a place in the usual capitals."""
    words = place.lower().split()
    return " ".join(
        word.upper() if word in _IN_CAPITALS else word if word in _SMALL else word.capitalize()
        for word in words
    )
