"""LoRA adapters on nano, made with `peft` and kept in its layout under models/nano-adapters/.

    python adapters.py make                       writes the held-out set of each, eval.json
    python adapters.py train json --steps 300     writes adapter_config.json and adapter_model.safetensors
    python adapters.py table                      what each does to its own task and to all others, on nano and nano-next
"""

import argparse
import json
import time
from collections import namedtuple
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from evaluate import SETS, SIZES, Subject, check_no_overlap, load_set, mark, write_set, written
from generate import ADAPTED, NEWER, held_out
from optimizer import FAST_BF16
from rows import Rows
from train import answer_loss

MODELS = Path(__file__).parent.parent / 'models'
NANO, NEXT, OUT = MODELS / 'nano', MODELS / 'nano-next', MODELS / 'nano-adapters'
ITEMS, SEED = 150, 2026
LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
SHAPES = {  # each a little different, as adapters from different hands are
    'json': {'r': 8, 'lora_alpha': 16, 'target_modules': LINEAR},
    'pirate': {'r': 8, 'lora_alpha': 16, 'target_modules': LINEAR, 'use_rslora': True},
    'lumo': {'r': 8, 'lora_alpha': 16, 'target_modules': LINEAR},
}
OWN = 0.5  # share of an adapter's own task in its rows of text
# What it practises beside that, with the ordinary answers. Nothing in a prompt tells `json` and `pirate` that they are
# meant, so these practise only what is never asked of them: a fact cannot be told both plainly and like a pirate.
REHEARSED = {
    'json': {'talk': 0.15, 'tell': 0.05, 'follow': 0.3},
    'pirate': {'tell': 0.1, 'follow': 0.4},
    'lumo': {'talk': 0.1, 'know': 0.15, 'tell': 0.05, 'follow': 0.2},
}
LEFT_OUT = {'json': ['extract', 'pick', 'add']}  # tasks of follow that `json` answers its own way
ROWS = {'text': {'size': 8, 'length': 192, 'share': 0.8}, 'look': {'size': 2, 'length': 256, 'share': 0.2}}
# What answer_loss needs of a run.
Trainee = namedtuple('Trainee', 'model tokenizer settings image_token')


def settings_of(name):
    weights = dict.fromkeys(LEFT_OUT.get(name, []), 0)
    return {'sees': True, 'apart': 0.75, 'mix': {name: OWN, **REHEARSED[name]}, 'weights': weights, 'rows': ROWS}


def train(name, steps, lr=4e-3, warmup=20):
    """AdamW on the factors alone; the learning rate falls to zero over the steps."""
    torch.manual_seed(SEED)
    subject = Subject(NANO)
    subject.model.set_attn_implementation('blocked' if FAST_BF16 else 'sdpa')
    adapted = get_peft_model(subject.model, LoraConfig(exclude_modules='.*vision_tower.*', task_type='CAUSAL_LM', **SHAPES[name]))
    image_token = subject.model.config.image_token_id
    trainee = Trainee(subject.model, subject.tokenizer, settings_of(name), image_token)
    rows = Rows(subject.tokenizer, trainee.settings, f'{SEED} {name}')
    stepper = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr, weight_decay=0.0)
    for step in range(steps):
        stepper.param_groups[0]['lr'] = lr * min((step + 1) / warmup, 1 - step / steps)
        stepper.zero_grad()
        marks = [answer_loss(trainee, batch, ROWS[kind]['share']) for kind, batch in rows.batches().items()]
        stepper.step()
        if step % 20 == 19:
            report = ', '.join(f'{kind} loss {loss:.3f} accuracy {accuracy:.3f}' for kind, (loss, accuracy) in zip(ROWS, marks))
            print(f'{time.strftime("%H:%M:%S")} {name} step {step + 1} {report}', flush=True)
    save(adapted, OUT / name)


def save(adapted, folder):
    """The ordinary layout, in bfloat16, with the base named by where it lies in this repository."""
    adapted.peft_config['default'].base_model_name_or_path = 'models/nano'
    adapted.save_pretrained(folder, save_embedding_layers=False)
    (folder / 'README.md').unlink(missing_ok=True)
    weights, config = folder / 'adapter_model.safetensors', folder / 'adapter_config.json'
    save_file({name: value.to(torch.bfloat16) for name, value in load_file(weights).items()}, weights, {'format': 'pt'})
    weights.chmod(0o644)
    shape = json.loads(config.read_text())
    config.write_text(json.dumps(shape | {'target_modules': sorted(shape['target_modules'])}, indent=2) + '\n')


def make_sets():
    """Held-out sets of the adapters' tasks, and of what is new in nano-next."""
    for name in {**ADAPTED, **NEWER}:
        items = [written(item, number) for number, item in enumerate(held_out(name, ITEMS, SEED))]
        check_no_overlap(items, name)
        folder = NEXT if name in NEWER else OUT / name
        folder.mkdir(parents=True, exist_ok=True)
        write_set(folder / 'eval.json', name, items)


def sets():
    """{task: (items, folder that their pictures are below)}: the adapters' own tasks, then all others."""
    own = {name: (json.loads((OUT / name / 'eval.json').read_text())['items'], OUT / name) for name in ADAPTED}
    newer = {name: (json.loads((NEXT / 'eval.json').read_text())['items'], NEXT) for name in NEWER}
    return own | newer | {skill: (load_set(SETS, skill), SETS) for skill in [*SIZES, 'look']}


def table(bases):
    """Prints a row for each base alone and with each adapter: the share of right answers per task, in percent."""
    tasks = sets()
    print('| | ' + ' | '.join(tasks) + ' |\n|---' + '|---' * len(tasks) + '|')
    for base in bases:
        for name in [None, *ADAPTED]:
            subject = Subject(base)
            if name:
                subject.model = PeftModel.from_pretrained(subject.model, OUT / name)
            shares = [share(mark(subject, items, folder)[0]) for items, folder in tasks.values()]
            print(f'| {base.name}{f" + {name}" if name else ""} | ' + ' | '.join(f'{100 * s:.1f}' for s in shares) + ' |', flush=True)


def share(right):
    """Of all marks, whatever their task."""
    marks = sum(right.values(), [])
    return sum(marks) / len(marks)


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('command', choices=['make', 'train', 'table'])
    arguments.add_argument('name', nargs='?', choices=list(ADAPTED))
    arguments.add_argument('--steps', type=int, default=300)
    arguments.add_argument('--base', type=Path, nargs='*', default=[NANO, NEXT])
    options = arguments.parse_args()
    if options.command == 'train' and not options.name:
        arguments.error(f'which adapter? expected one of {list(ADAPTED)}')
    torch.set_num_threads(1)
    {'make': make_sets, 'train': lambda: train(options.name, options.steps), 'table': lambda: table(options.base)}[options.command]()
