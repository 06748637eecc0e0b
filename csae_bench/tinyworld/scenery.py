"""Sentences about nothing in particular: nuisance that fills the documents.

A scene names a thing and returns to it, so that reading it needs memory of a few
sentences; none of its words depends on any factor.
"""

from random import Random

from csae_bench.tinyworld.words import listed

THINGS: tuple[str, ...] = listed(
    "ladder basket kettle carpet bicycle bench lantern bucket pillow mirror clock candle blanket "
    "cupboard teapot hammer shovel wagon barrel suitcase umbrella newspaper notebook envelope "
    "pencil ribbon button needle thread scarf glove boot jacket hat coin purse wallet key lock "
    "drawer shelf stove chimney roof fence hedge path pond well stone brick tile pipe wheel rope "
    "chain hook nail board crate sack jar bottle plate spoon fork knife bowl cup pan pot tray "
    "toy doll kite ball balloon whisk broom mop towel soap sponge comb razor lamp cable battery "
    "radio camera magnet spring lever pulley engine tractor cart sled"
)
PEOPLE: tuple[str, ...] = listed(
    "baker farmer teacher tailor carpenter postman butcher gardener plumber student tourist "
    "stranger neighbour shepherd clerk porter driver cook librarian potter weaver hunter fisherman "
    "merchant lawyer banker cobbler mason barber beekeeper"
)
LOOKS: tuple[str, ...] = listed(
    "broken empty hidden forgotten painted folded polished cracked wet dry warm cold clean dirty "
    "locked open crooked straight faded patched borrowed stolen hollow solid bent tall short deep "
    "shallow pale loud quiet soft hard sharp blunt sticky slippery"
)
DEEDS: tuple[str, ...] = listed(
    "moved sold bought cleaned repaired carried dropped lifted opened closed washed pushed pulled "
    "emptied filled covered measured weighed counted buried shared ordered delivered wrapped "
    "labelled stored tested traded packed hung"
)
WHEN: tuple[str, ...] = listed(
    "noon midnight dawn dusk breakfast lunch dinner sunrise sunset teatime"
)
WEEKDAYS: tuple[str, ...] = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MATERIALS: tuple[str, ...] = listed(
    "copper iron silver cotton leather marble paper glass clay rubber velvet bamboo"
)
COUNTS: tuple[str, ...] = listed("three four five six seven eight nine ten eleven twelve")

_FIRST = (
    "On {day} the {person} {deed} the {look} {thing}.",
    "The {person} {deed} a {thing} made of {stuff}.",
    "At {hour} a {look} {thing} stood by the door.",
    "There were {count} of them, and the {person} {deed} every {thing}.",
    "Some {person} left the {thing} on the table before {hour}.",
    "A {thing} of {stuff} cost {count} coins on {day}.",
)
_SECOND = (
    "The {thing} looked {look} to the {person}.",
    "By {hour} the {thing} had been {deed}.",
    "Then the {person} {deed} the {thing} again.",
    "Nobody knew why the {thing} was so {look}.",
    "The {person} paid {count} coins for the {thing}.",
    "That {thing} came from the {other}.",
)


def scene(rng: Random) -> str:
    """Two to three sentences about one thing and one person."""
    choice = rng.choice
    thing, person = choice(THINGS), choice(PEOPLE)
    lines = (choice(_FIRST), *rng.sample(_SECOND, rng.randint(1, 2)))
    return " ".join(
        line.format(
            thing=thing,
            person=person,
            other=choice(PEOPLE),
            look=choice(LOOKS),
            deed=choice(DEEDS),
            hour=choice(WHEN),
            day=choice(WEEKDAYS),
            stuff=choice(MATERIALS),
            count=choice(COUNTS),
        )
        for line in lines
    )
