"""English: do-support, contracted where the register is casual."""

from __future__ import annotations

from typing import NamedTuple

from csae_bench.factors.datasets.english.language import (
    CASUAL,
    FUTURE,
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
    """A verb and its object."""

    base: str
    third: str
    past: str
    object: str


_BE = ("was", "is", "will be")
_NOT = (("did not", "did not"), ("does not", "do not"), ("will not", "will not"))
_CONTRACTED = (("didn't", "didn't"), ("doesn't", "don't"), ("won't", "won't"))


def _slots(facts: Facts, drawn: Drawn[Verb]) -> dict[str, str]:
    noun = drawn.noun[facts.number]
    return {
        "subj": f"the {inflected(facts, drawn.adjective)} {noun}",
        "vp": f"{_verb_group(facts, drawn)} {drawn.verb.object}",
        "time": drawn.time,
        "mood": f"{drawn.scene} {_BE[facts.tense]} {drawn.quality}",
    }


def _verb_group(facts: Facts, drawn: Drawn[Verb]) -> str:
    verb, marker = drawn.verb, f"{drawn.marker} " if drawn.marker else ""
    if facts.polarity == NEGATIVE:
        auxiliary = (_CONTRACTED if facts.register == CASUAL else _NOT)[facts.tense][facts.number]
        return f"{marker}{auxiliary} {verb.base}"
    if facts.tense == FUTURE:
        return f"will {marker}{verb.base}"
    present = verb.base if facts.number else verb.third
    return f"{marker}{verb.past if facts.tense == PAST else present}"


def _adjective(word: str) -> Adjective:
    return Adjective(Forms(word, word), Forms(word, word))


def _regular(base: str, thing: str) -> Verb:
    past = f"{base}d" if base.endswith("e") else f"{base}ed"
    return Verb(base, f"{base}s", past, thing)


ENGLISH = Language(
    openers=(
        Words(
            ("ladies and gentlemen,", "dear Sir or Madam,", "esteemed colleagues,"),
            ("Your Excellency,",),
        ),
        Words(("hey folks,", "hi there,", "hey guys,"), ("yo,",)),
    ),
    adjectives=Words(
        (_adjective("young"), _adjective("tall"), _adjective("clever")), (_adjective("friendly"),)
    ),
    nouns=(
        Words(
            (
                Forms("woman", "women"),
                Forms("lady", "ladies"),
                Forms("mother", "mothers"),
                Forms("girl", "girls"),
            ),
            (Forms("actress", "actresses"),),
        ),
        Words(
            (
                Forms("man", "men"),
                Forms("gentleman", "gentlemen"),
                Forms("father", "fathers"),
                Forms("boy", "boys"),
            ),
            (Forms("actor", "actors"),),
        ),
    ),
    verbs=(
        Words(
            (
                _regular("examine", "the patient"),
                _regular("treat", "the wound"),
                _regular("prescribe", "the medicine"),
            ),
            (_regular("bandage", "the wrist"),),
        ),
        Words(
            (
                _regular("bake", "the bread"),
                _regular("taste", "the soup"),
                _regular("peel", "the potatoes"),
            ),
            (_regular("season", "the sauce"),),
        ),
        Words(
            (
                _regular("kick", "the ball"),
                _regular("train", "the team"),
                Verb("referee", "referees", "refereed", "the match"),
            ),
            (_regular("organise", "the tournament"),),
        ),
        Words(
            (
                _regular("play", "the violin"),
                Verb("sing", "sings", "sang", "the song"),
                _regular("tune", "the piano"),
            ),
            (_regular("compose", "the melody"),),
        ),
        Words(
            (
                _regular("sign", "the contract"),
                _regular("question", "the witness"),
                _regular("draft", "the law"),
            ),
            (Verb("read", "reads", "read", "the verdict"),),
        ),
        Words(
            (
                _regular("solve", "the equation"),
                _regular("correct", "the homework"),
                _regular("explain", "the lesson"),
            ),
            (_regular("open", "the textbook"),),
        ),
    ),
    markers=(Words(("", "really"), ("definitely",)), Words(("", "definitely"), ("simply",))),
    times=(
        Words(("yesterday", "last week", "last Monday"), ("two days ago",)),
        Words(("these days", "nowadays", "every Monday"), ("every week",)),
        Words(("tomorrow", "next week", "next Monday"), ("in two days",)),
    ),
    scenes=Words(("the mood", "the atmosphere", "the weather")),
    qualities=(
        Words(("wonderful", "delightful", "excellent"), ("superb",)),
        Words(("terrible", "dreadful", "awful"), ("miserable",)),
    ),
    train_templates={
        "plain": "{open} {subj} {vp} {time}, and {mood}.",
        "time_first": "{open} {time} {subj} {vp}, and {mood}.",
        "mood_first": "{open} {mood}, and {subj} {vp} {time}.",
        "report": "{open} people say that {subj} {vp} {time} and that {mood}.",
    },
    reserved_templates={
        "aside": "{open} {subj}, as everyone knows, {vp} {time}; {mood}.",
        "belief": "{open} we believe that {subj} {vp} {time}, for {mood}.",
        "colon": "{open} one thing is clear: {mood}, and {time} {subj} {vp}.",
        "while": "{open} {subj} {vp} {time}, while {mood}.",
    },
    slots=_slots,
)
