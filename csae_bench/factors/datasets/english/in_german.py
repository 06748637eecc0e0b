"""German: the verb's place in main, inverted and subordinate clauses.

The past is the preterite where the register is formal and the perfect where it is casual.
"""

from __future__ import annotations

from typing import NamedTuple

from csae_bench.factors.datasets.english.language import (
    CASUAL,
    FEMININE,
    FUTURE,
    PAST,
    Adjective,
    Drawn,
    Facts,
    Forms,
    Language,
    Words,
    inflected,
)


class Verb(NamedTuple):
    """A verb that forms its perfect with haben, and its object in the accusative."""

    infinitive: str
    present: str
    """Third person singular; the plural is the infinitive."""
    past: Forms
    participle: str
    object: str


class _Predicate(NamedTuple):
    """The two ends of the sentence bracket."""

    finite: str
    rest: str
    """Infinitive or participle; empty in a simple tense."""


_BE = (("war", ""), ("ist", ""), ("wird", "sein"))


def _slots(facts: Facts, drawn: Drawn[Verb]) -> dict[str, str]:
    article = "der" if not facts.number and facts.gender != FEMININE else "die"
    noun = drawn.noun[facts.number]
    subject = f"{article} {inflected(facts, drawn.adjective)} {noun}"
    finite, rest = _predicate(facts, drawn.verb)
    thing, time, marker = drawn.verb.object, drawn.time, drawn.marker
    be, infinitive = _BE[facts.tense]
    mood = _joined(drawn.scene, be, drawn.quality, infinitive)
    return {
        "main": _joined(subject, finite, time, thing, marker, rest),
        "inverted": _joined(time, finite, subject, thing, marker, rest),
        "subordinate": _joined(subject, time, thing, marker, rest, finite),
        "aside": _joined(f"{subject} {finite}, wie jeder weiß,", time, thing, marker, rest),
        "mood": mood,
        "sentence_mood": mood[0].upper() + mood[1:],
        "subordinate_mood": _joined(drawn.scene, drawn.quality, infinitive, be),
    }


def _predicate(facts: Facts, verb: Verb) -> _Predicate:
    if facts.tense == FUTURE:
        return _Predicate("werden" if facts.number else "wird", verb.infinitive)
    if facts.tense == PAST and facts.register == CASUAL:
        return _Predicate("haben" if facts.number else "hat", verb.participle)
    if facts.tense == PAST:
        return _Predicate(verb.past[facts.number], "")
    return _Predicate(verb.infinitive if facts.number else verb.present, "")


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)


def _adjective(stem: str) -> Adjective:
    weak = Forms(f"{stem}e", f"{stem}en")
    return Adjective(weak, weak)


def _weak(stem: str, participle: str, thing: str) -> Verb:
    return Verb(f"{stem}en", f"{stem}t", Forms(f"{stem}te", f"{stem}ten"), participle, thing)


def _strong(infinitive: str, present: str, past: str, participle: str, thing: str) -> Verb:
    return Verb(infinitive, present, Forms(past, f"{past}en"), participle, thing)


GERMAN = Language(
    openers=(
        Words(
            (
                "sehr geehrte Damen und Herren,",
                "verehrtes Publikum,",
                "verehrte Kolleginnen und Kollegen,",
            ),
            ("Exzellenz,",),
        ),
        Words(("hallo Leute,", "hi zusammen,", "hey,"), ("na ihr,",)),
    ),
    adjectives=Words(
        (_adjective("jung"), _adjective("groß"), _adjective("klug")), (_adjective("freundlich"),)
    ),
    nouns=(
        Words(
            (
                Forms("Frau", "Frauen"),
                Forms("Dame", "Damen"),
                Forms("Nachbarin", "Nachbarinnen"),
                Forms("Mutter", "Mütter"),
            ),
            (Forms("Schauspielerin", "Schauspielerinnen"),),
        ),
        Words(
            (
                Forms("Mann", "Männer"),
                Forms("Herr", "Herren"),
                Forms("Nachbar", "Nachbarn"),
                Forms("Vater", "Väter"),
            ),
            (Forms("Schauspieler", "Schauspieler"),),
        ),
    ),
    verbs=(
        Words(
            (
                _weak("untersuch", "untersucht", "den Patienten"),
                _weak("reinig", "gereinigt", "die Wunde"),
                _strong(
                    "verschreiben", "verschreibt", "verschrieb", "verschrieben", "das Medikament"
                ),
            ),
            (
                Verb(
                    "behandeln",
                    "behandelt",
                    Forms("behandelte", "behandelten"),
                    "behandelt",
                    "die Verletzung",
                ),
            ),
        ),
        Words(
            (
                _weak("back", "gebacken", "das Brot"),
                _weak("probier", "probiert", "die Suppe"),
                _weak("schäl", "geschält", "die Kartoffeln"),
            ),
            (_weak("würz", "gewürzt", "die Soße"),),
        ),
        Words(
            (
                _strong("werfen", "wirft", "warf", "geworfen", "den Ball"),
                _weak("trainier", "trainiert", "die Mannschaft"),
                _weak("kommentier", "kommentiert", "das Fußballspiel"),
            ),
            (_weak("organisier", "organisiert", "das Turnier"),),
        ),
        Words(
            (
                _weak("stimm", "gestimmt", "das Klavier"),
                _strong("singen", "singt", "sang", "gesungen", "das Lied"),
                _weak("üb", "geübt", "die Sonate"),
            ),
            (_weak("komponier", "komponiert", "die Melodie"),),
        ),
        Words(
            (
                _strong(
                    "unterschreiben",
                    "unterschreibt",
                    "unterschrieb",
                    "unterschrieben",
                    "den Vertrag",
                ),
                _weak("befrag", "befragt", "den Zeugen"),
                _weak("formulier", "formuliert", "das Gesetz"),
            ),
            (_strong("lesen", "liest", "las", "gelesen", "das Urteil"),),
        ),
        Words(
            (
                _weak("lös", "gelöst", "die Gleichung"),
                _weak("korrigier", "korrigiert", "die Hausaufgaben"),
                _weak("erklär", "erklärt", "die Lektion"),
            ),
            (_weak("wiederhol", "wiederholt", "den Unterrichtsstoff"),),
        ),
    ),
    markers=(
        Words(("", "wirklich"), ("tatsächlich",)),
        Words(("nicht", "keineswegs"), ("überhaupt nicht",)),
    ),
    times=(
        Words(("gestern", "letzte Woche", "letzten Montag"), ("vor zwei Tagen",)),
        Words(("heutzutage", "zurzeit", "jeden Montag"), ("jede Woche",)),
        Words(("morgen", "nächste Woche", "nächsten Montag"), ("in zwei Tagen",)),
    ),
    scenes=Words(("die Stimmung", "die Atmosphäre", "das Wetter")),
    qualities=(
        Words(("wunderbar", "herrlich", "ausgezeichnet"), ("großartig",)),
        Words(("schrecklich", "furchtbar", "scheußlich"), ("miserabel",)),
    ),
    train_templates={
        "plain": "{open} {main}, und {mood}.",
        "time_first": "{open} {inverted}, und {mood}.",
        "mood_first": "{open} {mood}, und {main}.",
        "report": "{open} man sagt, dass {subordinate} und dass {subordinate_mood}.",
    },
    reserved_templates={
        "aside": "{open} {aside}; {mood}.",
        "belief": "{open} wir glauben, dass {subordinate}, denn {mood}.",
        "colon": "{open} eines ist klar: {sentence_mood}, und {inverted}.",
        "while": "{open} {main}, während {subordinate_mood}.",
    },
    slots=_slots,
)
