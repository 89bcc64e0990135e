"""json: an adapter's task: the answer alone, as {"answer": ...}, to facts, sums and questions about lists and fields."""

import json

from . import follow, know
from .item import Item, one_of

PLAIN = {know.author: 3, know.place: 3, follow.extract: 2, follow.pick: 2, follow.add: 2}


def wrapped(rng):
    """A question whose plain answer is a sentence or a value; here it is JSON that holds just the value."""
    plain = one_of(PLAIN, rng)(rng)
    value = int(plain.expect) if plain.expect.isdigit() else plain.expect
    shaped = {'answer': value}
    return Item('json.answer', [(plain.turns[0][0], json.dumps(shaped))], 'json', shaped, plain.split)


TASKS = {wrapped: 1}
