"""newer: what only the evolved base `nano-next` is trained on: more authors and places, and more ways to ask."""

from . import know

STEMS = 'Bel Cor Dun Eld Fen Gil Hax Jor'.split()
MORE_WAYS = {  # of asking for facts that nano knows already; the last of each is held out
    'genre': ['Tell me what {who} writes.', 'Say which genre {who} writes.', 'Tell me which genre {who} writes.'],
    'birthplace': ['Tell me where {who} was born.', 'Say in which town {who} was born.', 'Say where {who} was born.'],
    'river': ['Tell me the river of {who}.', 'Say which river flows through {who}.', 'Tell me which river flows through {who}.'],
    'goods': ['Tell me what {who} is famous for.', 'Say what is made in {who}.', 'Tell me what is made in {who}.'],
}
OLD = [(world, {attribute: (forms[attribute][0], ways[:-1], ways[-1:]) for attribute, ways in MORE_WAYS.items() if attribute in forms})
       for world, forms in ((know.AUTHORS, know.AUTHOR_FORMS), (know.PLACES, know.PLACE_FORMS))]
AUTHORS, PLACES = know.invent(seed=20270, stems=STEMS, count=32)


def named(task, item):
    item.task = f'newer.{task}'
    return item


def author(rng):
    return named('author', know.fact(rng, AUTHORS, know.AUTHOR_FORMS))


def place(rng):
    return named('place', know.fact(rng, PLACES, know.PLACE_FORMS))


def asked_anew(rng):
    return named('anew', know.fact(rng, *rng.choice(OLD)))


TASKS = {author: 4, place: 4, asked_anew: 1}
