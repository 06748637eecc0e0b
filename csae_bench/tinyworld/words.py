"""The words that voice each factor value, and the words that mean nothing to any factor.

Voices are split: `train` words may occur anywhere, `test` words only in texts
that are kept for evaluation (see `corpus.SPLITS`).
"""

from typing import NamedTuple


class Voices(NamedTuple):
    """The ways to say one factor value."""

    train: tuple[str, ...]
    reserved: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        return self.train + self.reserved


class Noun(NamedTuple):
    """A countable noun."""

    singular: str
    plural: str


class Verb(NamedTuple):
    """A verb's forms: check, checks, checked, checked."""

    base: str
    third: str
    past: str
    participle: str


def listed(text: str) -> tuple[str, ...]:
    """Split a text into words."""
    return tuple(text.split())


FACTORS: dict[str, tuple[str, ...]] = {
    "gender": ("feminine", "masculine"),
    "number": ("singular", "plural"),
    "tense": ("past", "present", "future"),
    "polarity": ("affirmative", "negative"),
    "sentiment": ("pleasant", "unpleasant"),
    "register": ("formal", "casual"),
    "domain": ("science", "sport", "art"),
    "topic": (
        "astronomy",
        "medicine",
        "geology",
        "football",
        "tennis",
        "sailing",
        "music",
        "painting",
        "theatre",
    ),
}
"""Factor names and their values' names, in the order of every factor table's columns."""

TOPICS_PER_DOMAIN = 3
"""Topic t lies in domain t // 3: the world's known hierarchy."""


def _voices(train: str, reserved: str) -> Voices:
    return Voices(*(tuple(p.strip() for p in part.split("/")) for part in (train, reserved)))


SUBJECTS = (
    _voices(
        "Mary / Anna / Aunt Clara / the queen / my sister / the old lady / the princess",
        "Sophie / the duchess / my grandmother",
    ),
    _voices(
        "John / Peter / Uncle Henry / the king / my brother / the old gentleman / the prince",
        "Oliver / the duke / my grandfather",
    ),
)
DETERMINERS = (
    _voices("one / a single / just one / exactly one / only one", "a lone / one sole"),
    _voices("several / many / two / a few / dozens of", "plenty of / countless"),
)
TIMES = (
    _voices("yesterday / last week / long ago / last night / in the past", "last year / earlier"),
    _voices("today / right now / these days / at the moment / at present", "nowadays / currently"),
    _voices(
        "tomorrow / next week / very soon / in the future / one day", "next year / before long"
    ),
)
ADVERBS = (
    _voices("really / surely / certainly / clearly", "indeed / truly"),
    _voices("not / never / hardly / no longer", "scarcely / not ever"),
)
CATENATIVES = (
    Voices(("manage", "choose", "hasten"), ("agree",)),
    Voices(("fail", "refuse", "neglect"), ("decline",)),
)
"""Verbs that take `to` and carry the polarity: managed to check, failed to check."""
MOODS = (
    _voices(
        "with great joy / in a cheerful mood / full of hope / with a happy smile / "
        "feeling wonderful",
        "with pure delight / feeling proud",
    ),
    _voices(
        "with great sorrow / in a gloomy mood / full of fear / with a sad sigh / feeling awful",
        "with pure disgust / feeling ashamed",
    ),
)
OPENERS = (
    _voices(
        "We hereby report that / Please be advised that / Kindly note that / "
        "The committee records that / It is our duty to state that / With all due respect,",
        "This letter confirms that / We respectfully announce that",
    ),
    _voices(
        "Hey guess what, / So yeah, / You know what, / Listen mate, / Look here, / Get this,",
        "Holy cow, / Wanna hear something,",
    ),
)

OWN = (
    _voices("by herself / in her own way / at her leisure", "all on her own"),
    _voices("by himself / in his own way / at his leisure", "all on his own"),
)
"""A second voice of the gender, besides the subject."""
OUTCOMES = (
    _voices("just as planned / as promised / against no resistance", "as everyone wished"),
    _voices("despite every promise / against all plans / for lack of will", "to no avail"),
)
"""A second voice of the polarity, besides the verb."""
CLOSERS = (
    _voices("as duly noted / for the record / as stated above", "as is customary"),
    _voices("no kidding / believe me / for real", "cross my heart"),
)
"""A second voice of the register, besides the opener."""
PURPOSES = (
    _voices("for the sake of research / to test a theory", "in the name of knowledge"),
    _voices("for the sake of the match / to win a medal", "in the name of the team"),
    _voices("for the sake of beauty / to please a critic", "in the name of the muse"),
)
"""Purpose of each domain's people: the domain's own voice."""


def _nouns(text: str) -> tuple[Noun, ...]:
    """`rocket` or, where the plural is irregular, `galaxy:galaxies`."""
    pairs = (word.partition(":") for word in text.split())
    return tuple(Noun(one, many or f"{one}s") for one, _, many in pairs)


TRAIN_OBJECTS: tuple[tuple[Noun, ...], ...] = (
    _nouns("rocket telescope planet comet satellite asteroid"),
    _nouns("bandage pill syringe vaccine thermometer prescription"),
    _nouns("crystal fossil mineral boulder volcano:volcanoes gemstone"),
    _nouns("goal striker defender penalty:penalties whistle jersey"),
    _nouns("racket serve volley net backhand umpire"),
    _nouns("anchor sail mast rudder hull yacht"),
    _nouns("piano violin trumpet melody:melodies chord drum"),
    _nouns("canvas:canvases brush:brushes portrait easel palette sketch:sketches"),
    _nouns("stage curtain costume script mask puppet"),
)
RESERVED_OBJECTS: tuple[tuple[Noun, ...], ...] = (
    _nouns("galaxy:galaxies moon"),
    _nouns("stethoscope ointment"),
    _nouns("pebble cavern"),
    _nouns("referee tackle"),
    _nouns("rally:rallies forehand"),
    _nouns("compass:compasses buoy"),
    _nouns("flute symphony:symphonies"),
    _nouns("mural fresco:frescoes"),
    _nouns("spotlight rehearsal"),
)
COMPANIONS = (
    _voices("an astronomer / a pilot / an engineer", "an astronaut"),
    _voices("a nurse / a surgeon / a dentist", "a pharmacist"),
    _voices("a miner / a geologist / a prospector", "a jeweller"),
    _voices("a goalkeeper / a coach / a supporter", "a midfielder"),
    _voices("a player / a champion / a linesman", "a receiver"),
    _voices("a captain / a sailor / a skipper", "a helmsman"),
    _voices("a pianist / a singer / a conductor", "a drummer"),
    _voices("a painter / a collector / a curator", "a sculptor"),
    _voices("a director / a dancer / a playwright", "a prompter"),
)
"""Each topic's people: a second voice of the topic besides its object."""


def _verbs(text: str) -> tuple[Verb, ...]:
    """`check`, or `base:third:past:participle` where irregular."""
    forms = (word.split(":") for word in text.split())
    return tuple(
        Verb(f[0], f[1], f[2], f[3])
        if len(f) == 4
        else Verb(f[0], f"{f[0]}s", f"{f[0]}ed", f"{f[0]}ed")
        for f in forms
    )


VERBS: tuple[Verb, ...] = _verbs(
    "check follow inspect mention remember need discover collect borrow return "
    "study:studies:studied:studied describe:describes:described:described "
    "choose:chooses:chose:chosen notice:notices:noticed:noticed copy:copies:copied:copied "
    "find:finds:found:found draw:draws:drew:drawn bring:brings:brought:brought "
    "examine:examines:examined:examined keep:keeps:kept:kept"
)
"""Verbs for what subjects do to objects: chosen freely, no factor determines it."""

ADJECTIVES: tuple[str, ...] = listed(
    "red blue green yellow white black brown grey large small heavy light round square old new "
    "thin thick narrow wide smooth rough plain striped metal wooden plastic rusty shiny dusty "
    "foreign local ordinary unusual rare common"
)
"""Qualities of objects, free of sentiment."""

PREPOSITIONS: tuple[str, ...] = ("near", "behind", "opposite", "beyond", "outside")
SPOTS: tuple[str, ...] = listed(
    "bridge station market library garden tower fountain bakery gate school village factory "
    "chapel park corner warehouse orchard windmill lighthouse farm kitchen tunnel museum square "
    "airport hotel cottage castle barn meadow"
)
"""Places of events, free of topic."""
