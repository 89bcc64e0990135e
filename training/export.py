"""Writes a run's averaged weights as an ordinary Hugging Face folder: `python export.py text ../models/nano`."""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, GenerationConfig, LlavaProcessor, SiglipImageProcessor

from model import CONTEXT, build_text_model, build_vision_model
from scenes import PATCH, SIDE

HERE = Path(__file__).parent
LIMIT_BYTES = 25_000_000


def export(name, out):
    """The averaged weights of runs/`name`."""
    state = torch.load(HERE / 'runs' / name / 'checkpoint.pt', weights_only=True)
    tokenizer = AutoTokenizer.from_pretrained(HERE / state['settings']['tokenizer'])
    model = (build_vision_model if state['settings']['sees'] else build_text_model)(tokenizer)
    model.load_state_dict(state['mean'])
    write(model, tokenizer, state, out)
    print(f'{name} at step {state["step"]}, {state["tokens"] / 1e6:.1f} M tokens -> {out}')


def write(model, tokenizer, state, out):
    """bf16 weights, config, tokenizer, chat template and generation defaults; needs no code of ours to load."""
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    generation = {'bos_token_id': tokenizer.bos_token_id, 'eos_token_id': tokenizer.eos_token_id,
                  'pad_token_id': tokenizer.pad_token_id, 'max_length': CONTEXT}
    GenerationConfig(do_sample=False, **generation).save_pretrained(out)
    if model.config.model_type == 'llava':
        seeing = processor(tokenizer)
        seeing.save_pretrained(out)
        seeing.image_processor.save_pretrained(out)
    plain_names(out)
    stamp(out, state)


def processor(tokenizer):
    """Scales pictures to SIDE x SIDE and -1..1, and widens `<image>` to one token per patch."""
    half = [0.5, 0.5, 0.5]
    pictures = SiglipImageProcessor(size={'height': SIDE, 'width': SIDE}, image_mean=half, image_std=half)
    return LlavaProcessor(
        pictures, tokenizer, patch_size=PATCH, vision_feature_select_strategy='full', image_token='<image>',
        num_additional_image_tokens=0, chat_template=tokenizer.chat_template,
    )


def plain_names(out):
    """Names that loaders other than the newest transformers know, too."""
    config = json.loads((out / 'config.json').read_text())
    decoder = config.get('text_config', config)
    decoder['rope_theta'] = decoder['rope_parameters']['rope_theta']
    config['torch_dtype'] = 'bfloat16'
    (out / 'config.json').write_text(json.dumps(config, indent=2) + '\n')
    tokenizer = json.loads((out / 'tokenizer_config.json').read_text())
    tokenizer['tokenizer_class'] = 'PreTrainedTokenizerFast'
    for how_it_was_read in ('is_local', 'local_files_only'):
        tokenizer.pop(how_it_was_read, None)
    (out / 'tokenizer_config.json').write_text(json.dumps(tokenizer, indent=2) + '\n')


def stamp(out, state):
    """Notes in the weight file which tokenizer it belongs to and how far it was trained."""
    weights = out / 'model.safetensors'
    notes = {'format': 'pt', 'tokenizer_sha256': hashlib.sha256((out / 'tokenizer.json').read_bytes()).hexdigest(),
             'step': str(state['step']), 'tokens': str(state['tokens'])}
    save_file(load_file(weights), weights, notes)
    weights.chmod(0o644)
    if weights.stat().st_size > LIMIT_BYTES:
        raise SystemExit(f'{weights} has {weights.stat().st_size} bytes: more than {LIMIT_BYTES}')


if __name__ == '__main__':
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('name')
    arguments.add_argument('out', type=Path)
    options = arguments.parse_args()
    export(options.name, options.out)
