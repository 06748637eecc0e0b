"""Cities with their country, continent and language, and prompts that end on one of them.

A small table of our own in RAVEL's form (Huang et al. 2024, arXiv:2402.17700, has 3,552 cities):
large and well-known cities with one language that most people there speak, so that a small model
knows some of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENTITY = "city"
ATTRIBUTES = ("Country", "Continent", "Language")

_CITIES = """
Paris France Europe French; Lyon France Europe French; Marseille France Europe French
Bordeaux France Europe French; London England Europe English; Manchester England Europe English
Liverpool England Europe English; Berlin Germany Europe German; Munich Germany Europe German
Hamburg Germany Europe German; Frankfurt Germany Europe German; Vienna Austria Europe German
Rome Italy Europe Italian; Milan Italy Europe Italian; Naples Italy Europe Italian
Venice Italy Europe Italian; Florence Italy Europe Italian; Madrid Spain Europe Spanish
Seville Spain Europe Spanish; Lisbon Portugal Europe Portuguese; Porto Portugal Europe Portuguese
Athens Greece Europe Greek; Moscow Russia Europe Russian; Warsaw Poland Europe Polish
Krakow Poland Europe Polish; Budapest Hungary Europe Hungarian; Bucharest Romania Europe Romanian
Sofia Bulgaria Europe Bulgarian; Stockholm Sweden Europe Swedish; Oslo Norway Europe Norwegian
Copenhagen Denmark Europe Danish; Amsterdam Netherlands Europe Dutch
Rotterdam Netherlands Europe Dutch; Prague Czech Europe Czech
Tokyo Japan Asia Japanese; Kyoto Japan Asia Japanese; Osaka Japan Asia Japanese
Hiroshima Japan Asia Japanese; Nagoya Japan Asia Japanese; Beijing China Asia Chinese
Shanghai China Asia Chinese; Shenzhen China Asia Chinese; Wuhan China Asia Chinese
Bangkok Thailand Asia Thai; Hanoi Vietnam Asia Vietnamese; Jakarta Indonesia Asia Indonesian
Tehran Iran Asia Persian; Baghdad Iraq Asia Arabic; Riyadh Saudi Asia Arabic
Damascus Syria Asia Arabic; Istanbul Turkey Asia Turkish; Ankara Turkey Asia Turkish
Dhaka Bangladesh Asia Bengali; Mumbai India Asia Hindi; Delhi India Asia Hindi
Cairo Egypt Africa Arabic; Alexandria Egypt Africa Arabic; Tunis Tunisia Africa Arabic
Casablanca Morocco Africa Arabic; Tripoli Libya Africa Arabic; Lagos Nigeria Africa English
Accra Ghana Africa English; Nairobi Kenya Africa Swahili; Dakar Senegal Africa French
Sydney Australia Australia English; Melbourne Australia Australia English
Brisbane Australia Australia English; Perth Australia Australia English
"""

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Country": (
        "The city of %s is in the country of",
        "Helsinki is in Finland, Toronto is in Canada, Lima is in Peru, %s is in",
        "People who live in %s live in the country of",
        "city: Helsinki, country: Finland\ncity: Lima, country: Peru\ncity: %s, country:",
    ),
    "Continent": (
        "The city of %s is on the continent of",
        "Helsinki is in Europe, Seoul is in Asia, Cape Town is in Africa, %s is in",
        "city: Seoul, continent: Asia\ncity: Cape Town, continent: Africa\n"
        "city: Helsinki, continent: Europe\ncity: %s, continent:",
    ),
    "Language": (
        "Most people in %s speak",
        "In Helsinki they speak Finnish, in Seoul they speak Korean, in %s they speak",
        "city: Helsinki, language: Finnish\ncity: Seoul, language: Korean\ncity: %s, language:",
    ),
}


def city_table() -> dict[str, dict[str, Any]]:
    """Return the contents of RAVEL's four files, by the ends of their names."""
    rows = [city.split() for line in _CITIES.strip().splitlines() for city in line.split(";")]
    templates = [template for group in _TEMPLATES.values() for template in group]
    return {
        "entity_attributes": {
            name: dict(zip(ATTRIBUTES, known, strict=True)) for name, *known in rows
        },
        "attribute_to_prompts": {name: list(group) for name, group in _TEMPLATES.items()},
        # SAE-Bench writes these splits to its prompts and uses neither
        "entity_to_split": {name: "train" for name, *_ in rows},
        "prompt_to_split": dict.fromkeys(templates, "train"),
    }
