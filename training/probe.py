"""A quick look at a run on held-out questions: `python probe.py vision --items 200`.

One forward pass per question instead of decoding: a greedy answer is exactly the expected one if and only if every
token of the expected answer is the likeliest after those before it. So this is a lower bound of what `evaluate.py`
finds where its rule accepts other wordings, and the same where it does not.
"""

import argparse
import random
from collections import defaultdict

import torch

from generate import SKILLS, sample
from generate.item import draw_scene
from generate.look import question
from merging import kept_tokens
from model import IMAGE_TOKENS
from optimizer import FAST_BF16
from rows import IGNORED, Row, Rows
from run import Run, read_settings
from train import inputs


def exchanges(skill, count, rng):
    """(task, turns, scene or None) of held-out items."""
    for _ in range(count):
        item = question(draw_scene(rng, 'eval'), rng) if skill == 'look' else sample(skill, rng, 'eval')
        yield item.task, item.turns, item.scene


def encoded(rows, turns, scene):
    """ids and labels of one conversation, labels on its last answer only, and what is shown of the scene."""
    row, shown = Row(rows.tokenizer), rows.shown(scene) if scene else None
    for asked, answer in turns:
        row.labels = [IGNORED] * len(row.ids)
        row.exchange(rows.image_text(shown) + asked if scene else asked, answer)
    return row.ids[:-1], row.labels[:-1], shown


@torch.inference_mode()
def right(rows, run, batch):
    """Whether each conversation's last answer is predicted token for token."""
    longest = max(len(ids) for ids, _, _ in batch)
    padded = lambda column, filling: torch.tensor([entry[column] + [filling] * (longest - len(entry[column])) for entry in batch])
    ids, labels = padded(0, run.tokenizer.pad_token_id), padded(1, IGNORED)
    pictures = rows.pictures([shown for _, _, shown in batch]) if batch[0][2] is not None else None
    with torch.autocast('cpu', torch.bfloat16, enabled=FAST_BF16):
        hidden = run.model.model(**inputs(run, ids, pictures), use_cache=False).last_hidden_state
        likeliest = run.model.lm_head(hidden).argmax(-1)[:, :-1]
    return ((likeliest == labels[:, 1:]) | (labels[:, 1:] == IGNORED)).all(1).tolist()


def probe(run, skills, count, seed, keep, size=25):
    rows, rng = Rows(run.tokenizer, run.settings, seed), random.Random(seed)
    rows.image_tokens = kept_tokens(IMAGE_TOKENS, keep)
    run.model.load_state_dict(run.mean)
    run.model.eval()
    for skill in skills:
        marks, drawn = defaultdict(list), list(exchanges(skill, count, rng))
        for start in range(0, count, size):
            part = drawn[start : start + size]
            for (task, _, _), ok in zip(part, right(rows, run, [encoded(rows, turns, scene) for _, turns, scene in part])):
                marks[task.split('.')[1]].append(ok)
        total = sum(map(sum, marks.values())) / count
        print(f'{skill} {total:.1%}: ' + ', '.join(f'{task} {sum(oks) / len(oks):.0%}' for task, oks in sorted(marks.items())))


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('name')
    arguments.add_argument('--items', type=int, default=200)
    arguments.add_argument('--skills', nargs='*', default=['look', *SKILLS])
    arguments.add_argument('--seed', type=int, default=1)
    arguments.add_argument('--keep', type=float, default=1.0, help='share of the tokens that a picture is merged to')
    options = arguments.parse_args()
    torch.set_num_threads(1)
    run = Run(options.name, read_settings(options.name))
    run.resume()
    print(f'{options.name}: step {run.step}, {run.tokens / 1e6:.2f} M tokens')
    probe(run, options.skills, options.items, options.seed, options.keep)
