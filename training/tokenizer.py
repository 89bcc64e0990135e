"""Trains the byte-level BPE tokenizer on generated text: `python tokenizer.py --out runs/tokenizer`."""

import argparse
import random
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from generate import SKILLS, sample
from generate.words import scene_talk

VOCABULARY = 2048
SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<pad>', '<image>']
# Words keep a leading space, every digit stands alone, so that sums and years are spelt the same everywhere.
SPLIT = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
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


def train_tokenizer(count=15_000):
    """A tokenizer of VOCABULARY entries in the form that transformers saves and loads."""
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
