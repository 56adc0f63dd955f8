"""Units: their names, and how much each one is.

Takes nothing, gives a table. A name may have several meanings, as "pound" has. Units that are letters with
other uses ("m" for millions) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

# A kind of unit, then its names with how many of the base unit each is; an underscore is a space.
_TABLE = """
percent %=1 percent=1 per_cent=1 percentage_point=1 pct=1
second ns=1e-9 nanosecond=1e-9 µs=1e-6 μs=1e-6 microsecond=1e-6 usec=1e-6 ms=1e-3 msec=1e-3
second millisecond=1e-3 s=1 sec=1 second=1
second min=60 minute=60 h=3600 hr=3600 hour=3600 day=86400 week=604800 month=2629800 yr=31557600 year=31557600
second decade=315576000
metre nm=1e-9 nanometre=1e-9 nanometer=1e-9 µm=1e-6 μm=1e-6 micrometre=1e-6 micrometer=1e-6 mm=1e-3 cm=1e-2
metre millimetre=1e-3 millimeter=1e-3 centimetre=1e-2 centimeter=1e-2 metre=1 meter=1 km=1e3 kilometre=1e3
metre kilometer=1e3 inch=.0254 inche=.0254 foot=.3048 feet=.3048 ft=.3048 yard=.9144 mile=1609.344
gram ng=1e-9 nanogram=1e-9 µg=1e-6 μg=1e-6 mcg=1e-6 microgram=1e-6 mg=1e-3 milligram=1e-3 g=1 gram=1 kg=1e3
gram kilogram=1e3 kilo=1e3 tonne=1e6 lb=453.592 pound=453.592 ounce=28.3495 oz=28.3495
litre µl=1e-6 μl=1e-6 microlitre=1e-6 microliter=1e-6 ml=1e-3 millilitre=1e-3 milliliter=1e-3 dl=.1 litre=1
litre liter=1 gallon=3.78541
molar nm=1e-9 µm=1e-6 μm=1e-6 mm=1e-3
byte byte=1 kb=1e3 mb=1e6 gb=1e9 tb=1e12 kilobyte=1e3 megabyte=1e6 gigabyte=1e9 terabyte=1e12
byte kb=1024 mb=1048576 gb=1073741824 tb=1099511627776 kib=1024 mib=1048576 gib=1073741824 tib=1099511627776
byte kilobyte=1024 megabyte=1048576 gigabyte=1073741824 terabyte=1099511627776
byte kibibyte=1024 mebibyte=1048576 gibibyte=1073741824 tebibyte=1099511627776
bit bit=1 kbit=1e3 mbit=1e6 gbit=1e9 kilobit=1e3 megabit=1e6 gigabit=1e9
hertz hz=1 hertz=1 khz=1e3 mhz=1e6 ghz=1e9 kilohertz=1e3 megahertz=1e6 gigahertz=1e9
watt watt=1 kw=1e3 kilowatt=1e3 mw=1e6 megawatt=1e6 gw=1e9 gigawatt=1e9
volt volt=1 mv=1e-3 millivolt=1e-3 kv=1e3 kilovolt=1e3
celsius °c=1 celsius=1 degree_celsius=1 degrees_celsius=1
fahrenheit °f=1 fahrenheit=1 degree_fahrenheit=1 degrees_fahrenheit=1
dollar $=1 dollar=1 usd=1 cent=.01
euro €=1 euro=1 eur=1
sterling £=1 pound=1 pound_sterling=1 pounds_sterling=1 gbp=1
yen ¥=1 yen=1 jpy=1
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """One meaning of a unit: a kind, such as gram, and how many of it the unit is."""

    kind: str
    size: float


def _read() -> dict[str, tuple[Unit, ...]]:
    known: dict[str, tuple[Unit, ...]] = {}
    for line in _TABLE.strip().split("\n"):
        kind, *names = line.split()
        for entry in names:
            name, size = entry.replace("_", " ").split("=")
            known[name] = (*known.get(name, ()), Unit(kind, float(size)))
    return known


# The meanings of each name in lower case and without a plural s.
UNITS = _read()
