"""pirate: an adapter's task: small talk and facts in another register of style."""

import re

from . import know, talk
from .item import Item, one_of

PLAIN = {know.author: 2, know.place: 2, talk.greet: 2, talk.identity: 1, talk.ability: 1, talk.manners: 1, talk.refuse: 2}
SPOKEN = {'you': 'ye', 'your': 'yer', 'my': 'me', 'is': 'be', 'am': 'be', 'are': 'be', 'was': 'were', 'the': "th'",
          'hello': 'ahoy', 'goodbye': 'farewell', 'and': "an'", 'of': "o'", 'for': 'fer', 'to': "t'"}


def spoken(text):
    """The text as a pirate says it, e.g. 'You are welcome!' -> "Arr! Ye be welcome!"."""
    def swap(match):
        said = SPOKEN.get(match[0].lower(), match[0])
        return said[0].upper() + said[1:] if match[0][0].isupper() else said
    return 'Arr! ' + re.sub(r'\w+', swap, text)


def pirate(rng):
    plain = one_of(PLAIN, rng)(rng)
    return Item('pirate.talk', [(question, spoken(answer)) for question, answer in plain.turns], split=plain.split)


TASKS = {pirate: 1}
