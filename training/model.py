"""The shape of nano: a narrow, deep Llama decoder, and the LLaVA model that gives it eyes."""

from transformers import LlamaConfig, LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration, SiglipVisionConfig

from scenes import PATCH, SIDE

CONTEXT = 2048
IMAGE_TOKENS = (SIDE // PATCH) ** 2
SEEN_LAYER = -2  # LLaVA's habit: the last layer but one, so the last of the tower stays unused


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


def vision_config():
    """A SigLIP tower of 0.7 M parameters that gives IMAGE_TOKENS features of 128."""
    return SiglipVisionConfig(
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
        vision_use_head=False,
    )


def build_text_model(tokenizer):
    return LlamaForCausalLM(text_config(tokenizer))


def build_vision_model(tokenizer):
    """Tower, two-layer projector and decoder in one LLaVA model."""
    return LlavaForConditionalGeneration(LlavaConfig(
        vision_config=vision_config(),
        text_config=text_config(tokenizer),
        image_token_id=tokenizer.convert_tokens_to_ids('<image>'),
        image_seq_length=IMAGE_TOKENS,
        vision_feature_layer=SEEN_LAYER,
        vision_feature_select_strategy='full',
        tie_word_embeddings=True,
    ))


def start_vision_model(model, text_state, tower_state):
    """Puts trained decoder weights and a trained tower into a new LLaVA model."""
    decoder = {name.removeprefix('model.'): value for name, value in text_state.items() if name.startswith('model.')}
    model.model.language_model.load_state_dict(decoder)
    model.model.vision_tower.load_state_dict(tower_state)
