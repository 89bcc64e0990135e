"""Trains the byte-level BPE tokenizer on generated text: `python tokenizer.py --out runs/tokenizer`."""

import argparse
import json
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from generate import SKILLS, sample
from generate.words import (
    ADJECTIVES, ANIMALS, CITIES, COLOURS, JOBS, NAMES, PLACES, SHAPES, SIZES, TEXTURES, THINGS, VERBS, scene_talk,
)

VOCABULARY = 2048  # entries learnt from text; whole words come on top
SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<pad>', '<image>']
# Words keep a leading space, every digit stands alone, so that sums and years are spelt the same everywhere.
SPLIT = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
JOINED = '\0'  # marks a part made in this round, which joins no further in it
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}"
    "{{ message['content'] }}"
    "{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}{{ '<image>\n' }}{% endif %}"
    "{% endfor %}"
    "{% endif %}"
    "{{ '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def corpus(count, seed=1):
    """Questions and answers of every skill, and every word in its three cases."""
    rng = random.Random(seed)
    for _ in range(count):
        yield scene_talk(rng)
        for skill in SKILLS:
            for question, answer in sample(skill, rng).turns:
                yield question
                yield answer


def whole_words():
    """Words that are to be one token each, in every form that tasks ask for, so that changing the form is one step."""
    pool = THINGS + ANIMALS + ADJECTIVES + COLOURS
    seen = SHAPES + SIZES + TEXTURES + 'top left centre right bottom empty'.split()
    spaced = lambda words: [f'{space}{word}' for word in words for space in ('', ' ')]
    upper = [word.upper() for word in pool + NAMES + CITIES]
    lower = [word.lower() for word in NAMES + CITIES]
    return [*pool, *JOBS, *(word.capitalize() for word in COLOURS + seen),
            *(f' {word}' for word in pool + seen + JOBS + PLACES + VERBS), *spaced(upper + lower + NAMES + CITIES)]


def pieces(word, ranks):
    """Byte-pair encoding of one word by its definition: join the pair of least rank until there is none."""
    parts = list(word)
    while pairs := {ranks[pair]: pair for pair in zip(parts, parts[1:]) if pair in ranks}:
        left, right = pairs[min(pairs)]
        joined = []
        for part in parts:
            if part == right and joined and joined[-1] == left:
                joined[-1] = left + right + JOINED
            else:
                joined.append(part)
        parts = [part.removesuffix(JOINED) for part in joined]
    return parts


def with_whole_words(text):
    """A tokenizer file in which no merge joins capitals but those that whole_words() needs.

    New merges come last, so words that were one token stay so.
    """
    tokenizer = json.loads(text)
    model = tokenizer['model']
    merges = [tuple(merge) for merge in model['merges'] if sum(map(str.isupper, ''.join(merge))) < 2]
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    for word in (word.replace(' ', 'Ġ') for word in whole_words()):
        while len(parts := pieces(word, ranks)) > 1:
            ranks[parts[0], parts[1]] = len(ranks)
            model['vocab'].setdefault(parts[0] + parts[1], len(model['vocab']))
    model['merges'] = [list(merge) for merge in ranks]
    return json.dumps(tokenizer)


def train_tokenizer(count=15_000):
    """A tokenizer of VOCABULARY entries and whole words in the form that transformers saves and loads."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), 'isolated'),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(corpus(count), trainer)
    bpe = Tokenizer.from_str(with_whole_words(bpe.to_str()))
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token='<|im_end|>', bos_token='<|im_start|>', pad_token='<pad>',
        additional_special_tokens=['<|endoftext|>', '<image>'], chat_template=CHAT_TEMPLATE,
        model_max_length=2048, clean_up_tokenization_spaces=False,
    )


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--out', type=Path, default=Path('runs/tokenizer'))
    out = arguments.parse_args().out
    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(out)
    print(f'{len(tokenizer)} tokens -> {out}')
