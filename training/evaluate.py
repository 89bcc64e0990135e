"""Held-out evaluation by exact rules.

    python evaluate.py make                     writes the sets to models/nano/eval/, the same on every machine
    python evaluate.py score ../models/nano     greedy answers of a checkpoint folder, one figure per task

A checkpoint without eyes is scored on the text skills only.

Refuses sets that overlap with training data and checkpoints whose tokenizer is not the one they were trained with.
"""

import argparse
import hashlib
import json
import random
import re
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from generate import held_out, sample
from generate.item import sha
from pictures import PICTURES, picture_items

SETS = Path(__file__).parent.parent / 'models' / 'nano' / 'eval'
SEED = 2026
SIZES = {'talk': 150, 'follow': 300, 'tell': 40, 'know': 200}
TARGETS = {'look': 0.80, 'talk': 0.95, 'follow': 0.85, 'know': 0.90}


def is_exact(answer, expect, _finished):
    """The answer is the expected text."""
    return answer == expect


def contains(answer, expect, _finished):
    """The answer contains the expected text as whole words."""
    return re.search(rf'(?<!\w){re.escape(expect)}(?!\w)', answer) is not None


def is_json(answer, expect, _finished):
    """The whole answer parses as JSON and equals the expected value."""
    try:
        return json.loads(answer) == expect
    except ValueError:
        return False


def is_story(answer, expect, finished):
    """It ended by itself, has 5 to 12 different sentences and names everything that was asked for."""
    sentences = re.findall(r'[^.!?]+[.!?]', answer)
    return finished and 5 <= len(sentences) <= 12 and len(set(sentences)) == len(sentences) and all(word in answer for word in expect)


RULES = {'exact': is_exact, 'contains': contains, 'json': is_json, 'story': is_story}


def prompt_of(item):
    """Chat messages up to and with the question whose answer is scored."""
    messages = []
    for question, answer in item.turns:
        messages += [{'role': 'user', 'content': question}, {'role': 'assistant', 'content': answer}]
    return messages[:-1]


def prompt_hash(messages):
    return sha(json.dumps(messages, sort_keys=True))


def check_no_overlap(items, skill, draws=20_000):
    """Stops if a held-out prompt also comes out of the training side of its generator."""
    held = {prompt_hash(item['messages']) for item in items}
    rng = random.Random(99)
    for _ in range(draws):
        if prompt_hash(prompt_of(sample(skill, rng))) in held:
            raise SystemExit(f'{skill}: a held-out prompt is also a training prompt')


def make_sets(folder):
    """Writes one JSON file per skill and per set of pictures, and the pictures as PNG files."""
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    for skill, size in SIZES.items():
        items = [written(item, i) for i, item in enumerate(held_out(skill, size, SEED))]
        check_no_overlap(items, skill)
        write_set(folder / f'{skill}.json', skill, items)
    for name in PICTURES:
        items = [about(picture, item, i) for i, (item, picture) in enumerate(picture_items(name, folder, SEED))]
        write_set(folder / f'{name}.json', name, items)


def written(item, number):
    return {'id': f'{item.task}-{number}', 'task': item.task, 'messages': prompt_of(item), 'rule': item.rule,
            'expect': item.expect}


def write_set(path, skill, items):
    lines = ',\n'.join(json.dumps(item) for item in items)
    path.write_text(f'{{"skill": "{skill}", "seed": {SEED}, "items": [\n{lines}\n]}}\n')
    print(f'{skill}: {len(items)} items')


def about(picture, item, number):
    content = [{'type': 'image'}, {'type': 'text', 'text': item.turns[0][0]}]
    return written(item, number) | {'messages': [{'role': 'user', 'content': content}], 'image': picture}


def check_tokenizer(folder):
    """The exporter notes the tokenizer's hash beside the weights; anything else would score nonsense."""
    with safe_open(folder / 'model.safetensors', 'pt') as weights:
        noted = (weights.metadata() or {}).get('tokenizer_sha256')
    found = hashlib.sha256((folder / 'tokenizer.json').read_bytes()).hexdigest()
    if noted != found:
        raise SystemExit(f'{folder}: trained with tokenizer {noted}, but tokenizer.json is {found}')


class Subject:
    """A checkpoint folder, ready to answer: Llama (text only) or LLaVA (with eyes)."""

    def __init__(self, folder):
        check_tokenizer(folder)
        self.sees = AutoConfig.from_pretrained(folder).model_type == 'llava'
        kind = AutoModelForImageTextToText if self.sees else AutoModelForCausalLM
        self.model = kind.from_pretrained(folder, dtype=torch.float32).eval()
        self.model.generation_config.max_length = None  # answers() sets its own limit
        self.processor = AutoProcessor.from_pretrained(folder) if self.sees else None
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokenizer.padding_side = 'left'

    @torch.inference_mode()
    def answers(self, items, sets, limit=200):
        """Greedy answers as (text, ended by itself), batched with left padding."""
        template = self.tokenizer.apply_chat_template
        texts = [template(item['messages'], tokenize=False, add_generation_prompt=True) for item in items]
        if 'image' in items[0]:
            pictures = [Image.open(sets / item['image']).convert('RGB') for item in items]
            self.processor.tokenizer.padding_side = 'left'
            batch = self.processor(text=texts, images=pictures, return_tensors='pt', padding=True)
        else:
            batch = self.tokenizer(texts, return_tensors='pt', padding=True, add_special_tokens=False)
        batch.pop('token_type_ids', None)
        made = self.model.generate(**batch, max_new_tokens=limit, do_sample=False)[:, batch['input_ids'].shape[1] :]
        return [(self.tokenizer.decode(row, skip_special_tokens=True), self.tokenizer.eos_token_id in row) for row in made]


def load_set(sets, skill):
    items = json.loads((sets / f'{skill}.json').read_text())['items']
    if skill not in PICTURES:
        check_no_overlap(items, skill)
    return items


def mark(subject, items, sets, size=25):
    """({task: [whether each answer is right]}, [a line for each wrong answer]); items of like length share a batch."""
    right, wrong = defaultdict(list), []
    items = sorted(items, key=lambda item: len(str(item['messages'])) + len(str(item['expect'])))
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        for item, (answer, finished) in zip(batch, subject.answers(batch, sets)):
            ok = RULES[item['rule']](answer, item['expect'], finished)
            right[item['task']].append(ok)
            if not ok:
                wrong.append(f'  {item["task"]}: {item["messages"][-1]["content"]!r} -> {answer!r}, not {item["expect"]!r}')
    return right, wrong


def score(folder, sets, show=0):
    """Prints the share of right answers per task and per skill; returns {skill: share}."""
    subject, shares = Subject(folder), {}
    for skill in [*SIZES, *(PICTURES if subject.sees else [])]:
        right, wrong = mark(subject, load_set(sets, skill), sets)
        print(*wrong[:show], sep='\n')
        for task, marks in sorted(right.items()):
            print(f'{task:16} {sum(marks) / len(marks):6.1%}  of {len(marks)}')
        shares[skill] = sum(map(sum, right.values())) / sum(map(len, right.values()))
        print(f'{skill:16} {shares[skill]:6.1%}  of {sum(map(len, right.values()))}  target {TARGETS.get(skill, "-")}', flush=True)
    return shares


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('command', choices=['make', 'score'])
    arguments.add_argument('folder', nargs='?', type=Path, default=SETS.parent)
    arguments.add_argument('--sets', type=Path, default=SETS)
    arguments.add_argument('--show', type=int, default=0, help='print that many wrong answers of each skill')
    arguments.add_argument('--threads', type=int, default=1)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    make_sets(options.sets) if options.command == 'make' else score(options.folder, options.sets, options.show)
