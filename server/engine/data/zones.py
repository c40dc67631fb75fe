#!/usr/bin/env python3
"""Writes the tables beside this file: which zones a phone prefix, a country and an area code stand for.

    python3 -m venv v && v/bin/pip install phonenumbers==9.0.43 tzdata==2026.6 && v/bin/python zones.py

Run by hand when one of the two packages has news; the build reads only the committed tables.
"""

import importlib.metadata
import importlib.resources
import pathlib
import re

from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA

HERE = pathlib.Path(__file__).parent
SOURCE = "phonenumbers {}, tzdata {}".format(*map(importlib.metadata.version, ("phonenumbers", "tzdata")))

STATES = """Alabama AL,Alaska AK,Arizona AZ,Arkansas AR,California CA,Colorado CO,Connecticut CT,Delaware DE,Florida FL,
Georgia GA,Hawaii HI,Idaho ID,Illinois IL,Indiana IN,Iowa IA,Kansas KS,Kentucky KY,Louisiana LA,Maine ME,Maryland MD,
Massachusetts MA,Michigan MI,Minnesota MN,Mississippi MS,Missouri MO,Montana MT,Nebraska NE,Nevada NV,New Hampshire NH,
New Jersey NJ,New Mexico NM,New York NY,North Carolina NC,North Dakota ND,Ohio OH,Oklahoma OK,Oregon OR,Pennsylvania PA,
Rhode Island RI,South Carolina SC,South Dakota SD,Tennessee TN,Texas TX,Utah UT,Vermont VT,Virginia VA,
Washington State WA,Washington D.C. DC,West Virginia WV,Wisconsin WI,Wyoming WY,Alberta AB,British Columbia BC,
British Colombia BC,Manitoba MB,New Brunswick NB,Newfoundland and Labrador NL,Northwest Territories NT,Nova Scotia NS,
Nunavut NU,Ontario ON,Prince Edward Island PE,Quebec QC,Saskatchewan SK,Yukon YT"""
CODES = dict(entry.strip().rsplit(" ", 1) for entry in STATES.replace("\n", "").split(","))

# Where tzdata names a zone of another country with the same clock.
PLACES = {
    "Africa/Asmera": "Africa/Asmara",
    "Africa/Timbuktu": "Africa/Bamako",
    "America/Coral_Harbour": "America/Atikokan",
    "America/Virgin": "America/St_Thomas",
    "Antarctica/South_Pole": "Antarctica/McMurdo",
    "Atlantic/Jan_Mayen": "Arctic/Longyearbyen",
    "Iceland": "Atlantic/Reykjavik",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
    "Pacific/Yap": "Pacific/Chuuk",
}

# Names of a clock that many countries keep, not of a place.
CLOCKS = {"CET", "EET", "EST", "HST", "MET", "MST", "WET"}


def zone_file(name):
    return importlib.resources.files("tzdata").joinpath("zoneinfo", name).read_text(encoding="utf-8")


def countries():
    """Country -> its zones, by tzdata's zone.tab."""
    found = {}
    for line in zone_file("zone.tab").splitlines():
        if not line.startswith("#"):
            code, _, zone = line.split("\t")[:3]
            found.setdefault(code, []).append(zone)
    return found


def aliases(names):
    """Other names of zones that zone.tab has, by the links of tzdata."""
    found = {}
    for line in zone_file("tzdata.zi").splitlines():
        if line.startswith("L "):
            _, target, alias = line.split()
            if alias not in names and target in names:
                found[alias] = target
    return found


def subdivisions(name):
    """ISO 3166-2 codes, without the country, of what a geocoder calls a place."""
    end = re.search(r", ([A-Z]{2})$", name)
    if end:
        return [end[1]]
    return [CODES[part] for part in name.split("/") if part in CODES]


def area_codes():
    """Area code of the North American plan -> states or provinces: by itself, else by its exchanges."""
    found = {}
    for prefix, names in GEOCODE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4 and "en" in names:
            exact = len(prefix) == 4
            kept = found.setdefault(prefix[1:4], {True: set(), False: set()})
            kept[exact].update(code for code in subdivisions(names["en"]) if code in CODES.values())
    return {code: sorted(kept[True] or kept[False]) for code, kept in found.items() if kept[True] or kept[False]}


def write(name, first, rows):
    head = f"# {first}\n# {SOURCE}; written by zones.py\n"
    (HERE / name).write_text(head + "".join(f"{key} {','.join(values)}\n" for key, values in sorted(rows.items())))


def main():
    by_country = countries()
    names = {zone for zones in by_country.values() for zone in zones}
    other = aliases(names)
    by_prefix = {prefix: sorted({other.get(zone, zone) for zone in zones}) for prefix, zones in TIMEZONE_DATA.items()}
    write("zones_of_countries.txt", "Country (ISO 3166) and its time zones.", by_country)
    of_places = {alias: [PLACES.get(alias, zone)] for alias, zone in other.items() if alias not in CLOCKS}
    write("other_names_of_zones.txt", "Another name of a zone, and the zone.", of_places)
    # A zone is written once and named by its number afterwards.
    order = sorted({zone for zones in by_prefix.values() for zone in zones})
    number = {zone: str(index) for index, zone in enumerate(order)}
    rows = {prefix: [number[zone] for zone in zones] for prefix, zones in by_prefix.items() if len(prefix) > 1}
    rows[" zones"] = order
    write("zones_of_prefixes.txt", "The zones by number, then phone prefixes and the numbers of their zones.", rows)
    write("states_of_area_codes.txt", "Area code (+1) and its states or provinces (ISO 3166-2).", area_codes())


main()
