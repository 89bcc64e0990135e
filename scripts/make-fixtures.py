"""Writes the tiny random checkpoints under test/fixtures/checkpoints and what transformers computes with them.

    python scripts/make-fixtures.py [name ...]

README.md there says what expected.json and logits.f32 hold. Everything is computed in float32, whatever type the
weights are stored in. random_models.py says how weights are drawn.
"""

import sys
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from random_models import build, greedy, save, search, write_facts

ROOT = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "checkpoints"
GREEDY_TOKENS = 64
MIN_DISTINCT = 12
SHORT = (1, 7, 40)


def llama3_rope(theta, original):
    return dict(
        rope_type="llama3",
        rope_theta=theta,
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=original,
    )


# Sizes that are not round on purpose: rows that are not a multiple of 32, odd vocabularies, heads that do not fill
# the hidden size.
FIXTURES = {
    "llama-gqa": dict(
        config=LlamaConfig(
            vocab_size=304,
            hidden_size=48,
            intermediate_size=72,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=20,
            max_position_embeddings=512,
        ),
        dtype=torch.float32,
    ),
    "llama-f16": dict(
        config=LlamaConfig(
            vocab_size=512,
            hidden_size=48,
            intermediate_size=136,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=512,
            rms_norm_eps=1e-5,
        ),
        dtype=torch.float16,
        embedding_std=0.004,
    ),
    "llama3-rope": dict(
        config=LlamaConfig(
            vocab_size=517,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=32,
            max_position_embeddings=1024,
            rms_norm_eps=1e-5,
            rope_parameters=llama3_rope(10_000.0, 64),
        ),
        dtype=torch.bfloat16,
        prompt_lengths=(*SHORT, 200),
    ),
    "llama-linear-rope": dict(
        config=LlamaConfig(
            vocab_size=320,
            hidden_size=48,
            intermediate_size=80,
            num_hidden_layers=2,
            num_attention_heads=3,
            num_key_value_heads=3,
            max_position_embeddings=512,
            rope_parameters=dict(rope_type="linear", rope_theta=5_000.0, factor=4.0),
        ),
        dtype=torch.bfloat16,
    ),
    "llama-mha-bias": dict(
        config=LlamaConfig(
            vocab_size=300,
            hidden_size=40,
            intermediate_size=72,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=512,
            attention_bias=True,
            mlp_bias=True,
        ),
        dtype=torch.float32,
    ),
    "smollm-tied": dict(
        config=LlamaConfig(
            vocab_size=640,
            hidden_size=72,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=9,
            num_key_value_heads=3,
            max_position_embeddings=1024,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=100_000.0),
            bos_token_id=0,
            eos_token_id=0,
        ),
        dtype=torch.bfloat16,
    ),
    "mistral-sharded": dict(
        config=MistralConfig(
            vocab_size=400,
            hidden_size=64,
            intermediate_size=160,
            num_hidden_layers=2,
            num_attention_heads=8,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=512,
            sliding_window=None,
            rms_norm_eps=1e-5,
        ),
        dtype=torch.bfloat16,
        shard_bytes=100_000,
    ),
    "qwen2-tied": dict(
        config=Qwen2Config(
            vocab_size=1021,
            hidden_size=56,
            intermediate_size=104,
            num_hidden_layers=3,
            num_attention_heads=7,
            num_key_value_heads=1,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=1_000_000.0),
            bos_token_id=1,
            eos_token_id=[2, 3],
        ),
        dtype=torch.bfloat16,
    ),
    "qwen3": dict(
        config=Qwen3Config(
            vocab_size=431,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=512,
            tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=1_000_000.0),
            bos_token_id=1,
            eos_token_id=2,
        ),
        dtype=torch.bfloat16,
    ),
}


def random_prompts(lengths, vocab_size, seed):
    generator = torch.Generator().manual_seed(seed + 1)
    return [torch.randint(4, vocab_size, (length,), generator=generator).tolist() for length in lengths]


def kept_rows(length):
    """All rows of short prompts; of longer ones the first, a middle one and the last two."""
    return list(range(length)) if length <= 7 else [0, length // 2, length - 2, length - 1]


@torch.no_grad()
def expectations(model, prompts):
    """One case per prompt and their logits, or None if a prompt comes near a tie."""
    cases, parts = [], []
    for prompt in prompts:
        tokens = greedy(model, dict(input_ids=torch.tensor([prompt])), GREEDY_TOKENS)
        if tokens is None:
            return None
        logits = model(torch.tensor([prompt + tokens[:-1]]), use_cache=False).logits[0]
        assert logits[len(prompt) - 1 :].argmax(-1).tolist() == tokens, "cached and uncached tokens differ"
        rows = kept_rows(len(prompt))
        cases.append(dict(prompt=prompt, rows=rows, logitsOffset=sum(map(len, parts)), greedy=tokens))
        parts.append(logits[rows].flatten())
    return cases, torch.cat(parts)


def write(name, fixture, model, cases, logits, seed):
    folder = ROOT / name
    save(folder, model, fixture["dtype"], max_shard_size=fixture.get("shard_bytes", "1GB"))
    logits.numpy().astype("<f4").tofile(folder / "logits.f32")
    write_facts(folder, seed=seed, vocabSize=fixture["config"].vocab_size, cases=cases)


def is_varied(cases):
    return min(len(set(case["greedy"])) for case in cases) >= MIN_DISTINCT


def make(name, fixture):
    config = fixture["config"]
    lengths = fixture.get("prompt_lengths", SHORT)

    def attempt(seed):
        model = build(AutoModelForCausalLM, config, fixture["dtype"], seed, fixture.get("embedding_std", 1.0))
        found = expectations(model, random_prompts(lengths, config.vocab_size, seed))
        if found is None or not is_varied(found[0]):
            return False
        write(name, fixture, model, *found, seed)
        return True

    search(ROOT / name, attempt)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FIXTURES:
        make(name, FIXTURES[name])
