"""The shape of nano: a narrow, deep Llama decoder, and the LLaVA model that gives it eyes."""

from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT = 2048


def text_config(tokenizer):
    """192 wide, 8 layers, 6 query and 2 KV heads of 32: about 3.5 M parameters with tied embeddings."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        rope_theta=10_000.0,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def build_text_model(tokenizer):
    return LlamaForCausalLM(text_config(tokenizer))
