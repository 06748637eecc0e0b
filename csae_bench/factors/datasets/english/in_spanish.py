"""Spanish: preterite, markers of polarity before the verb, personal `a`."""

from __future__ import annotations

from typing import NamedTuple

from csae_bench.factors.datasets.english.language import (
    FEMININE,
    Adjective,
    Drawn,
    Facts,
    Forms,
    Language,
    Words,
    inflected,
)


class Verb(NamedTuple):
    """A verb's third persons by tense, and its object."""

    past: Forms
    present: Forms
    future: Forms
    object: str


_BE = ("fue", "es", "será")


def _slots(facts: Facts, drawn: Drawn[Verb]) -> dict[str, str]:
    article = (("la", "las") if facts.gender == FEMININE else ("el", "los"))[facts.number]
    noun = drawn.noun[facts.number]
    verb = drawn.verb[facts.tense][facts.number]
    marker = f"{drawn.marker} " if drawn.marker else ""
    return {
        "subj": f"{article} {noun} {inflected(facts, drawn.adjective)}",
        "vp": f"{marker}{verb} {drawn.verb.object}",
        "time": drawn.time,
        "mood": f"{drawn.scene} {_BE[facts.tense]} {drawn.quality}",
    }


def _adjective(feminine: str, masculine: str) -> Adjective:
    return Adjective(Forms(feminine, f"{feminine}s"), Forms(masculine, f"{masculine}s"))


def _noun(singular: str) -> Forms:
    vowel = singular.endswith(tuple("aeo"))
    return Forms(singular, f"{singular}s" if vowel else f"{singular}es")


def _ar(stem: str, thing: str) -> Verb:
    return Verb(
        Forms(f"{stem}ó", f"{stem}aron"),
        Forms(f"{stem}a", f"{stem}an"),
        Forms(f"{stem}ará", f"{stem}arán"),
        thing,
    )


_YOUNG = Forms("joven", "jóvenes")

SPANISH = Language(
    openers=(
        Words(
            ("señoras y señores,", "distinguido público,", "estimados colegas,"), ("Excelencia,",)
        ),
        Words(("hola a todos,", "eh, gente,", "oye,"), ("buenas, peña,",)),
    ),
    adjectives=Words(
        (
            Adjective(_YOUNG, _YOUNG),
            _adjective("alta", "alto"),
            _adjective("simpática", "simpático"),
        ),
        (_adjective("inteligente", "inteligente"),),
    ),
    nouns=(
        Words(
            (_noun("mujer"), _noun("señora"), _noun("vecina"), _noun("chica")),
            (Forms("actriz", "actrices"),),
        ),
        Words(
            (_noun("hombre"), _noun("señor"), _noun("vecino"), _noun("chico")), (_noun("actor"),)
        ),
    ),
    verbs=(
        Words(
            (
                _ar("examin", "al paciente"),
                _ar("cur", "la herida"),
                _ar("recet", "el medicamento"),
            ),
            (_ar("vend", "el tobillo"),),
        ),
        Words(
            (_ar("horne", "el pan"), _ar("prepar", "la sopa"), _ar("pel", "las patatas")),
            (_ar("sazon", "la salsa"),),
        ),
        Words(
            (
                _ar("golpe", "el balón"),
                _ar("entren", "al equipo"),
                _ar("arbitr", "el partido"),
            ),
            (_ar("organiz", "el torneo"),),
        ),
        Words(
            (_ar("afin", "el piano"), _ar("cant", "la canción"), _ar("toc", "el violín")),
            (_ar("grab", "el disco"),),
        ),
        Words(
            (
                _ar("firm", "el contrato"),
                _ar("interrog", "al testigo"),
                _ar("redact", "la ley"),
            ),
            (_ar("dict", "la sentencia"),),
        ),
        Words(
            (
                _ar("despej", "la incógnita"),
                _ar("repas", "los deberes"),
                _ar("explic", "la lección"),
            ),
            (_ar("estudi", "el libro de texto"),),
        ),
    ),
    markers=(
        Words(("", "sí que"), ("realmente",)),
        Words(("no", "tampoco"), ("de ninguna manera",)),
    ),
    times=(
        Words(("ayer", "la semana pasada", "el lunes pasado"), ("hace dos días",)),
        Words(("estos días", "actualmente", "todos los lunes"), ("cada semana",)),
        Words(("mañana", "la semana que viene", "el próximo lunes"), ("dentro de dos días",)),
    ),
    scenes=Words(("el ambiente", "el tiempo", "el clima")),
    qualities=(
        Words(("maravilloso", "estupendo", "excelente"), ("magnífico",)),
        Words(("terrible", "horrible", "pésimo"), ("espantoso",)),
    ),
    train_templates={
        "plain": "{open} {subj} {vp} {time}, y {mood}.",
        "time_first": "{open} {time} {subj} {vp}, y {mood}.",
        "mood_first": "{open} {mood}, y {subj} {vp} {time}.",
        "report": "{open} dicen que {subj} {vp} {time} y que {mood}.",
    },
    reserved_templates={
        "aside": "{open} {subj}, como todos saben, {vp} {time}; {mood}.",
        "belief": "{open} creemos que {subj} {vp} {time}, pues {mood}.",
        "colon": "{open} una cosa está clara: {mood}, y {time} {subj} {vp}.",
        "while": "{open} {subj} {vp} {time}, mientras que {mood}.",
    },
    slots=_slots,
)
