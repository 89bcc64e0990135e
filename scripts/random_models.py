"""What the tiny random checkpoints of make-fixtures.py and make-vision-fixtures.py have in common.

Weights are drawn much wider than a training run would start with, so that attention is far from uniform, every
bias, norm and rotary angle matters, and the best two tokens are never near a tie: a seed is skipped if at any of
the greedy steps they are closer than MIN_MARGIN.
"""

import json
import shutil

import torch

MIN_MARGIN = 0.005


@torch.no_grad()
def randomise(model, seed, embedding_std=1.0):
    """Matrices and kernels with a spread of 2.2 / sqrt(inputs), norms around 1, biases around 0, all far from neutral.

    Embeddings as small as the square root of rms_norm_eps make that matter too.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            parameter.copy_(1 + 0.3 * noise)
        elif parameter.ndim == 1:
            parameter.copy_(0.4 * noise)
        elif "embed_tokens" in name or "position_embedding" in name:
            parameter.copy_(embedding_std * noise)
        else:
            parameter.copy_(noise * 2.2 / parameter[0].numel() ** 0.5)


def build(auto_class, config, dtype, seed, embedding_std=1.0):
    """The float32 model whose weights are exactly representable in the type that they are stored in."""
    torch.manual_seed(seed)
    model = auto_class.from_config(config, dtype=torch.float32, attn_implementation="eager")
    randomise(model, seed, embedding_std)
    # Parameters only: the rotary frequencies are buffers that a loaded model keeps in float32.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype).float()
    return model.eval()


@torch.no_grad()
def greedy(model, inputs, count):
    """The chosen tokens, or None as soon as the best two logits come closer than MIN_MARGIN."""
    chosen, past = [], None
    step = dict(inputs)
    while len(chosen) < count:
        output = model(**step, past_key_values=past, use_cache=True)
        best = output.logits[0, -1].topk(2)
        if best.values[0] - best.values[1] < MIN_MARGIN:
            return None
        chosen.append(best.indices[0].item())
        past = output.past_key_values
        length = inputs["input_ids"].shape[1] + len(chosen)
        step = dict(input_ids=best.indices[None, :1], attention_mask=torch.ones(1, length, dtype=torch.long))
    return chosen


def save(folder, model, dtype, **options):
    """In place of what the folder held."""
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, **options)
    model.float()
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)


def write_facts(folder, **facts):
    (folder / "expected.json").write_text(json.dumps(facts, separators=(",", ":")) + "\n")


def search(folder, attempt):
    """Calls `attempt(seed)`, which writes the folder and returns True unless the seed will not do."""
    for seed in range(1000):
        if attempt(seed):
            size = sum(path.stat().st_size for path in folder.iterdir())
            print(f"{folder.name}: seed {seed}, {size} bytes", flush=True)
            return
    raise SystemExit(f"{folder.name}: no seed keeps the best two tokens {MIN_MARGIN} apart")
