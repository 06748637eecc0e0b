"""French: passé composé with avoir, negation around the finite verb, elision of `ne`."""

from __future__ import annotations

from typing import NamedTuple

from csae_bench.factors.datasets.english.language import (
    FEMININE,
    NEGATIVE,
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
    """A verb that forms its past with avoir, and its object."""

    present: Forms
    future: Forms
    participle: str
    object: str


_BE = ("était", "est", "sera")
_AVOIR = Forms("a", "ont")
_VOWELS = tuple("aeiouéèê")


def _slots(facts: Facts, drawn: Drawn[Verb]) -> dict[str, str]:
    article = "les" if facts.number else "la" if facts.gender == FEMININE else "le"
    noun = drawn.noun[facts.number]
    return {
        "subj": f"{article} {inflected(facts, drawn.adjective)} {noun}",
        "vp": f"{_verb_group(facts, drawn)} {drawn.verb.object}",
        "time": drawn.time,
        "mood": f"{drawn.scene} {_BE[facts.tense]} {drawn.quality}",
    }


def _verb_group(facts: Facts, drawn: Drawn[Verb]) -> str:
    verb = drawn.verb
    forms = (_AVOIR, verb.present, verb.future)[facts.tense]
    words = [forms[facts.number], drawn.marker]
    if facts.tense == PAST:
        words.append(verb.participle)
    group = " ".join(word for word in words if word)
    if facts.polarity != NEGATIVE:
        return group
    return f"n'{group}" if group.startswith(_VOWELS) else f"ne {group}"


def _adjective(feminine: str, masculine: str) -> Adjective:
    return Adjective(Forms(feminine, f"{feminine}s"), Forms(masculine, f"{masculine}s"))


def _noun(singular: str) -> Forms:
    return Forms(singular, f"{singular}s")


def _verb(present: Forms, future: str, participle: str, thing: str) -> Verb:
    return Verb(present, Forms(future, f"{future[:-1]}ont"), participle, thing)


def _er(stem: str, thing: str) -> Verb:
    return _verb(Forms(f"{stem}e", f"{stem}ent"), f"{stem}era", f"{stem}é", thing)


FRENCH = Language(
    openers=(
        Words(
            ("mesdames et messieurs,", "Madame, Monsieur,", "chers collègues,"),
            ("Excellence,",),
        ),
        Words(("salut tout le monde,", "coucou,", "hé, les amis,"), ("dites donc, la bande,",)),
    ),
    adjectives=Words(
        (
            _adjective("jeune", "jeune"),
            _adjective("grande", "grand"),
            _adjective("charmante", "charmant"),
        ),
        (_adjective("brave", "brave"),),
    ),
    nouns=(
        Words(
            (_noun("femme"), _noun("dame"), _noun("voisine"), _noun("fille")), (_noun("actrice"),)
        ),
        Words(
            (_noun("homme"), Forms("monsieur", "messieurs"), _noun("voisin"), _noun("garçon")),
            (_noun("acteur"),),
        ),
    ),
    verbs=(
        Words(
            (
                _er("examin", "le patient"),
                _er("soign", "la blessure"),
                _verb(Forms("prescrit", "prescrivent"), "prescrira", "prescrit", "le médicament"),
            ),
            (_er("désinfect", "la plaie"),),
        ),
        Words(
            (
                _er("prépar", "le pain"),
                _er("goût", "la soupe"),
                _er("épluch", "les pommes de terre"),
            ),
            (_er("mélang", "la pâte"),),
        ),
        Words(
            (
                _er("frapp", "le ballon"),
                _er("entraîn", "l'équipe"),
                _er("arbitr", "le match"),
            ),
            (_er("organis", "le tournoi"),),
        ),
        Words(
            (
                _er("accord", "le piano"),
                _er("chant", "la chanson"),
                _er("enregistr", "le disque"),
            ),
            (_er("compos", "la mélodie"),),
        ),
        Words(
            (
                _er("sign", "le contrat"),
                _er("interrog", "le témoin"),
                _er("rédig", "la loi"),
            ),
            (_verb(Forms("lit", "lisent"), "lira", "lu", "le jugement"),),
        ),
        Words(
            (
                _verb(Forms("résout", "résolvent"), "résoudra", "résolu", "l'équation"),
                _er("corrig", "les devoirs"),
                _er("expliqu", "la leçon"),
            ),
            (_verb(Forms("ouvre", "ouvrent"), "ouvrira", "ouvert", "le manuel"),),
        ),
    ),
    markers=(
        Words(("", "vraiment"), ("bel et bien",)),
        Words(("pas", "absolument pas"), ("nullement",)),
    ),
    times=(
        Words(("hier", "la semaine dernière", "lundi dernier"), ("il y a deux jours",)),
        Words(("ces jours-ci", "actuellement", "chaque lundi"), ("chaque semaine",)),
        Words(("demain", "la semaine prochaine", "lundi prochain"), ("dans deux jours",)),
    ),
    scenes=Words(("l'ambiance", "l'atmosphère", "la météo")),
    qualities=(
        Words(("merveilleuse", "magnifique", "excellente"), ("superbe",)),
        Words(("terrible", "affreuse", "horrible"), ("épouvantable",)),
    ),
    train_templates={
        "plain": "{open} {subj} {vp} {time}, et {mood}.",
        "time_first": "{open} {time}, {subj} {vp}, et {mood}.",
        "mood_first": "{open} {mood}, et {subj} {vp} {time}.",
        "report": "{open} on dit que {subj} {vp} {time} et que {mood}.",
    },
    reserved_templates={
        "aside": "{open} {subj}, comme chacun sait, {vp} {time} ; {mood}.",
        "belief": "{open} nous pensons que {subj} {vp} {time}, car {mood}.",
        "colon": "{open} une chose est claire : {mood}, et {time}, {subj} {vp}.",
        "while": "{open} {subj} {vp} {time}, tandis que {mood}.",
    },
    slots=_slots,
)
