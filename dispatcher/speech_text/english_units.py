"""English words for units, currencies, signs and abbreviations."""

from __future__ import annotations

from typing import Final

MONTHS: Final = (
    "January February March April May June July August September October November December"
).split()

# One of them, and several.
UNITS: Final = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "m/s²": ("meter per second squared", "meters per second squared"),
    "mph": ("mile per hour", "miles per hour"), "rpm": ("R P M", "R P M"),
    "km": ("kilometer", "kilometers"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "μm": ("micrometer", "micrometers"), "nm": ("nanometer", "nanometers"), "m": ("meter", "meters"),
    "km²": ("square kilometer", "square kilometers"), "m²": ("square meter", "square meters"),
    "㎡": ("square meter", "square meters"), "m2": ("square meter", "square meters"),
    "cm²": ("square centimeter", "square centimeters"), "m³": ("cubic meter", "cubic meters"),
    "m3": ("cubic meter", "cubic meters"), "cm³": ("cubic centimeter", "cubic centimeters"),
    "ft": ("foot", "feet"), "mi": ("mile", "miles"), "yd": ("yard", "yards"),
    "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"), "mg": ("milligram", "milligrams"),
    "μg": ("microgram", "micrograms"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "L": ("liter", "liters"), "mL": ("milliliter", "milliliters"),
    "ml": ("milliliter", "milliliters"), "GHz": ("gigahertz", "gigahertz"),
    "MHz": ("megahertz", "megahertz"),
    "kHz": ("kilohertz", "kilohertz"), "Hz": ("hertz", "hertz"), "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"), "MW": ("megawatt", "megawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"), "mA": ("milliampere", "milliamperes"),
    "mAh": ("milliampere hour", "milliampere hours"),
    "Ω": ("ohm", "ohms"), "h": ("hour", "hours"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"),
    "min": ("minute", "minutes"), "mins": ("minute", "minutes"), "s": ("second", "seconds"),
    "sec": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
    "μs": ("microsecond", "microseconds"),
    "kcal": ("kilocalorie", "kilocalories"), "cal": ("calorie", "calories"),
    "kJ": ("kilojoule", "kilojoules"),
    "dB": ("decibel", "decibels"), "Pa": ("pascal", "pascals"), "hPa": ("hectopascal", "hectopascals"),
    "kPa": ("kilopascal", "kilopascals"), "fps": ("frame per second", "frames per second"),
    "px": ("pixel", "pixels"), "KB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "°": ("degree", "degrees"),
}  # fmt: skip

# The unit, several of them, and the hundredth part.
CURRENCIES: Final = {
    "$": ("dollar", "dollars", "cent"), "US$": ("dollar", "dollars", "cent"),
    "HK$": ("Hong Kong dollar", "Hong Kong dollars", "cent"),
    "NT$": ("Taiwan dollar", "Taiwan dollars", ""), "S$": ("Singapore dollar", "Singapore dollars", "cent"),
    "A$": ("Australian dollar", "Australian dollars", "cent"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent"), "€": ("euro", "euros", "cent"),
    "£": ("pound", "pounds", "p"), "¥": ("yuan", "yuan", ""), "￥": ("yuan", "yuan", ""),
    "CN¥": ("yuan", "yuan", ""), "₹": ("rupee", "rupees", ""), "₩": ("won", "won", ""),
}  # fmt: skip

ABBREVIATIONS: Final = {
    "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miz", "Prof.": "Professor", "Jr.": "Junior",
    "Sr.": "Senior", "e.g.,": "for example,", "e.g.": "for example,", "i.e.,": "that is,",
    "i.e.": "that is,",
    "vs.": "versus", "vs": "versus", "approx.": "approximately", "w/o": "without", "Inc.": "Incorporated",
    "Ltd.": "Limited", "Dept.": "Department", "Mt.": "Mount", "a.k.a.": "also known as", "cf.": "compare",
    "Fig.": "figure", "fig.": "figure", "Vol.": "volume", "Gen.": "General", "Capt.": "Captain",
    "min.": "minimum", "max.": "maximum",
}  # fmt: skip

SIGNS: Final = {
    "≤": "less than or equal to", "≥": "greater than or equal to", "≠": "not equal to",
    "≈": "approximately",
    "±": "plus or minus", "×": "times", "÷": "divided by", "√": "square root of", "∞": "infinity",
    "∑": "sum of",
    "∫": "integral of", "∂": "partial", "∆": "delta", "∈": "in", "∉": "not in", "⊂": "subset of",
    "∪": "union",
    "∩": "intersection", "∅": "empty set", "∠": "angle", "⊥": "perpendicular to", "∥": "parallel to",
    "∝": "proportional to", "∀": "for all", "∃": "there exists", "∴": "therefore", "∵": "because",
    "→": "to",
    "⇒": "implies", "⇔": "if and only if", "π": "pi", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta",
    "Δ": "delta", "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu", "ρ": "rho", "σ": "sigma",
    "Σ": "sigma",
    "τ": "tau", "φ": "phi", "ω": "omega", "Ω": "omega", "℃": "degrees Celsius", "℉": "degrees Fahrenheit",
    "°C": "degrees Celsius", "°F": "degrees Fahrenheit", "°": "degrees", "&": "and", "=": "equals",
    "<": "less than", ">": "greater than", "%": "percent", "№": "number", "@": "at",
}  # fmt: skip
