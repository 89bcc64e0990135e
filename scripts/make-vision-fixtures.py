"""Writes test/fixtures/vision: images of every awkward kind, tiny random vision-language checkpoints, and what
transformers makes of them.

    python scripts/make-vision-fixtures.py [name ...]

Needs transformers 5, torch and Pillow, not torchvision: the reference is the Pillow backend of the processors.
README.md there says what the files hold, random_models.py how weights are drawn.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessor,
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ImageProcessor,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaOnevisionConfig,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipImageProcessor,
    SiglipVisionConfig,
)
from transformers.video_utils import make_batched_videos

from random_models import build, greedy, save, search, write_facts

ROOT = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "vision"
GREEDY_TOKENS = 24
MIN_DISTINCT = 8

# ---- images ----


FRAMES = [f"frame-{i}.jpg" for i in range(5)]


def photo(width, height, seed=0):
    """Something like a photograph: soft shapes, gradients, an edge and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(seed)
    u, v = x / width, y / height
    planes = [
        110 + 90 * np.sin(5 * u + 2 * v) + 30 * (u > 0.6),
        100 + 80 * np.cos(3 * v * v + 4 * u) - 40 * ((u - 0.3) ** 2 + (v - 0.5) ** 2 < 0.03),
        120 + 100 * (u - v) + 25 * np.sin(40 * u),
    ]
    noisy = np.stack(planes, -1) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def write_images(folder):
    folder.mkdir(parents=True, exist_ok=True)
    base = photo(96, 72)
    base.save(folder / "photo.jpg", quality=85)
    photo(50, 110, 1).save(folder / "tall.jpg", quality=80, subsampling=2, progressive=True)
    photo(140, 60, 2).save(folder / "wide.webp", quality=80)
    small = photo(40, 30, 3)
    alpha = np.linspace(0, 255, 1200).reshape(30, 40).astype(np.uint8)
    rgba = small.copy()
    rgba.putalpha(Image.fromarray(alpha))
    rgba.save(folder / "alpha.png")
    small.quantize(16).save(folder / "palette.png")
    small.convert("L").save(folder / "grey.png")
    small.convert("LA").save(folder / "grey-alpha.png")
    small.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    small.convert("1").save(folder / "bilevel.png")
    grey16 = (np.arange(1200).reshape(30, 40) * 53 % 600).astype(np.uint16)
    Image.fromarray(grey16).save(folder / "grey16.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    small.save(folder / "rotated.jpg", quality=85, exif=exif)
    Image.new("RGB", (1, 1), (200, 30, 90)).save(folder / "dot.png")
    for seed, name in enumerate(FRAMES):
        photo(52, 38, 10 + seed).save(folder / name, quality=80)
    stripe = np.stack([np.arange(5000) // 20 % 256, np.arange(5000) // 7 % 256, np.arange(5000) % 256], -1)
    Image.fromarray(stripe.astype(np.uint8).reshape(5000, 1, 3)).save(folder / "stripe.png")


# ---- checkpoints ----

PARTS_ONLY = """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}\
{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}\
{% else %}{{ '<' + part['type'] + '>' }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""
STRINGS_TOO = """{% for message in messages %}{{ message['role'] + ': ' }}{% if message['content'] is string %}\
{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'text' %}\
{{ part['text'] }}{% else %}{{ '<image>\n' }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>' }}{% endfor %}\
{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"""

CONTROL = ["<pad>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"]
TAGS = ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>"] + [
    f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)
]


class WithoutTorchvision(LlavaOnevisionProcessor):
    """The processor with a video half that needs no torchvision."""

    def check_argument_for_proper_class(self, name, argument):
        return type(argument)


class PillowFrames(LlavaOnevisionImageProcessor):
    """Frames as LlavaOnevisionVideoProcessor prepares them (scaled to a square, rescaled, normalised), by Pillow."""

    def __call__(self, videos, **kwargs):
        frames = [torch.stack([self.prepare(frame) for frame in video]) for video in make_batched_videos(videos)]
        return {"pixel_values_videos": torch.stack(frames)}

    def prepare(self, frame):
        side = self.size["height"]
        scaled = Image.fromarray(frame).resize((side, side), self.resample)
        values = torch.from_numpy(np.asarray(scaled)).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (self.image_mean, self.image_std))
        return (values - mean) / std


def make_tokenizer(template, more=()):
    """One token per byte, then the control tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {symbol: index for index, symbol in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*CONTROL, *more)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        chat_template=template,
        extra_special_tokens={"image_token": "<image>", "video_token": "<video>"},
    )


def decoder(kind, tokenizer, **more):
    sizes = dict(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=72,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return kind(**{**sizes, **more})


def tower(kind, **more):
    sizes = dict(hidden_size=32, intermediate_size=56, num_hidden_layers=3, num_attention_heads=4)
    return kind(**{**sizes, **more})


def clip_llava():
    tokenizer = make_tokenizer(STRINGS_TOO)
    config = LlavaConfig(
        vision_config=tower(CLIPVisionConfig, image_size=30, patch_size=7),
        text_config=decoder(LlamaConfig, tokenizer, tie_word_embeddings=True),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        tie_word_embeddings=True,
    )
    images = CLIPImageProcessor(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30})
    processor = LlavaProcessor(
        images, tokenizer, patch_size=7, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    return config, processor, torch.bfloat16


def siglip_llava():
    tokenizer = make_tokenizer(STRINGS_TOO)
    config = LlavaConfig(
        vision_config=tower(SiglipVisionConfig, image_size=32, patch_size=8, vision_use_head=False),
        text_config=decoder(LlamaConfig, tokenizer, tie_word_embeddings=True),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    half = [0.5, 0.5, 0.5]
    images = SiglipImageProcessor(size={"height": 32, "width": 32}, image_mean=half, image_std=half)
    processor = LlavaProcessor(
        images, tokenizer, patch_size=8, vision_feature_select_strategy="full", num_additional_image_tokens=0,
        chat_template=tokenizer.chat_template,
    )
    return config, processor, torch.bfloat16


def onevision():
    tokenizer = make_tokenizer(PARTS_ONLY)
    grid = [[26 * rows, 26 * columns] for rows in range(1, 4) for columns in range(1, 4)]
    config = LlavaOnevisionConfig(
        vision_config=tower(
            SiglipVisionConfig, image_size=26, patch_size=5, num_hidden_layers=2, vision_use_head=False
        ),
        text_config=decoder(Qwen2Config, tokenizer, tie_word_embeddings=True),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=grid,
        vision_aspect_ratio="anyres_max_2",
        tie_word_embeddings=True,
    )
    images = LlavaOnevisionImageProcessor(size={"height": 26, "width": 26}, image_grid_pinpoints=grid)
    frames = PillowFrames(size=images.size, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5])
    processor = WithoutTorchvision(
        images, tokenizer, frames, num_image_tokens=25,
        vision_feature_select_strategy="full", chat_template=tokenizer.chat_template,
        vision_aspect_ratio="anyres_max_2",
    )
    return config, processor, torch.bfloat16


def idefics3():
    tokenizer = make_tokenizer(PARTS_ONLY, TAGS)
    config = Idefics3Config(
        vision_config=dict(
            hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8
        ),
        text_config=decoder(LlamaConfig, tokenizer, num_key_value_heads=1),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    images = Idefics3ImageProcessor(size={"longest_edge": 60}, max_image_size={"longest_edge": 32})
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=tokenizer.chat_template)
    return config, processor, torch.bfloat16


FIXTURES = {"clip-llava": clip_llava, "siglip-llava": siglip_llava, "onevision": onevision, "idefics3": idefics3}


# ---- what the reference makes of them ----


def image(name):
    return {"type": "image", "path": str(ROOT / "images" / name)}


def video(*names):
    return {"type": "video", "frames": list(names)}


def text(words):
    return {"type": "text", "text": words}


def user(*parts):
    return {"role": "user", "content": list(parts)}


def assistant(words):
    return {"role": "assistant", "content": [text(words)]}


CONVERSATIONS = {
    "image first": [user(image("photo.jpg"), text("What is this?"))],
    "image in the middle": [user(text("Look at "), image("tall.jpg"), text(" and tell me."))],
    "image last": [user(text("What is this? "), image("wide.webp"))],
    "two images": [user(image("photo.jpg"), text("and"), image("rotated.jpg"), text("differ how?"))],
    "images side by side": [user(image("alpha.png"), image("photo.jpg"))],
    "second turn": [
        user(image("photo.jpg"), text("What is this?")),
        assistant("A ship."),
        user(text("Which one?")),
    ],
    "image in the second turn": [
        {"role": "system", "content": [text("Be brief.")]},
        user(text("Hello.")),
        assistant("Hello."),
        user(image("tall.jpg"), text("And this?")),
    ],
}

VIDEO_CONVERSATIONS = {
    "video first": [user(video(*FRAMES), text("What happens?"))],
    "video between words": [user(text("Look at "), video(*FRAMES[:3]), text(" and tell me."))],
    "video of one frame": [user(text("What is this? "), video(FRAMES[1]))],
    "video beside an image": [user(video(*FRAMES[:2]), text("or"), image("photo.jpg"), text("?"))],
    "image beside a video, then another": [
        user(image("wide.webp"), video(*FRAMES[:3]), image("tall.jpg"), text("Which?")),
        assistant("The first."),
        user(text("And this?"), video(*FRAMES[2:])),
    ],
}

SHAPES = ["photo.jpg", "tall.jpg", "wide.webp", "rotated.jpg", "dot.png", "stripe.png"]
COLOURS = ["alpha.png", "palette.png", "grey.png", "grey-alpha.png", "cmyk.jpg", "bilevel.png", "grey16.png"]


def inputs_of(processor, messages):
    parts = [part for message in messages for part in message["content"]]
    images = [upright(part["path"]) for part in parts if part["type"] == "image"]
    videos = [[upright(ROOT / "images" / name) for name in part["frames"]] for part in parts if part["type"] == "video"]
    if not videos:
        return processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return processor(images=[images] if images else None, text=[prompt], videos=videos, return_tensors="pt")


def upright(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def plain(messages):
    """With file names in place of paths."""
    return [
        {**message, "content": [
            {"type": "image", "image": Path(part["path"]).name} if part["type"] == "image" else part
            for part in message["content"]
        ]}
        for message in messages
    ]


def expectations(model, processor):
    cases = []
    videos = VIDEO_CONVERSATIONS if isinstance(processor, LlavaOnevisionProcessor) else {}
    for name, messages in {**CONVERSATIONS, **videos}.items():
        inputs = inputs_of(processor, messages)
        tokens = greedy(model, inputs, GREEDY_TOKENS)
        if tokens is None or len(set(tokens)) < MIN_DISTINCT:
            return None
        cases.append(dict(name=name, messages=plain(messages), ids=inputs["input_ids"][0].tolist(), greedy=tokens))
    return cases


@torch.no_grad()
def features(model, processor):
    """Rows of the decoder for one image, as the model scatters them."""
    inputs = inputs_of(processor, CONVERSATIONS["image first"])
    visual = {key: value for key, value in inputs.items() if key not in ("input_ids", "attention_mask")}
    rows = model.get_image_features(**visual).pooler_output
    return torch.cat([part.reshape(-1, part.shape[-1]) for part in rows])


@torch.no_grad()
def video_features(model, processor):
    """Rows of the decoder for the video of the first conversation that has one."""
    inputs = inputs_of(processor, VIDEO_CONVERSATIONS["video first"])
    return model.get_video_features(inputs["pixel_values_videos"]).pooler_output[0]


def levels(processor, name):
    """The pixels of all tiles before they are normalised, 0-255, and a few normalised values."""
    inputs = inputs_of(processor, [user(image(name), text("?"))])
    values = inputs["pixel_values"].reshape(-1, *inputs["pixel_values"].shape[-3:])
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (
        processor.image_processor.image_mean, processor.image_processor.image_std))
    exact = (values * std + mean) * 255
    assert (exact - exact.round()).abs().max() < 1e-2
    return exact.round().to(torch.uint8), values.flatten()[:8].tolist()


def write(name, processor, model, dtype, cases, seed):
    folder = ROOT / name
    save(folder, model, dtype)
    if isinstance(processor, WithoutTorchvision):
        processor.image_processor.save_pretrained(folder)
        write_video_config(processor.video_processor, folder)
        processor.tokenizer.save_pretrained(folder)
    else:
        processor.save_pretrained(folder)
        AutoProcessor.from_pretrained(folder)
    features(model, processor).numpy().astype("<f4").tofile(folder / "features.f32")
    if isinstance(processor, LlavaOnevisionProcessor):
        video_features(model, processor).numpy().astype("<f4").tofile(folder / "video-features.f32")
    pixels, offset = [], 0
    with open(folder / "levels.u8", "wb") as file:
        for image_name in SHAPES + (COLOURS if "llava" in name else []):
            values, first = levels(processor, image_name)
            pixels.append(dict(image=image_name, offset=offset, tiles=values.shape[0], firstValues=first))
            offset += file.write(values.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
    write_facts(folder, seed=seed, cases=cases, pixels=pixels)


def write_video_config(frames, folder):
    """As LlavaOnevisionVideoProcessor would write its settings; not those of images, so that a test sees who reads them."""
    size = {"height": frames.size["height"], "width": frames.size["width"]}
    config = dict(
        video_processor_type="LlavaOnevisionVideoProcessor",
        do_resize=True,
        size=size,
        resample=3,
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=frames.image_mean,
        image_std=frames.image_std,
        do_sample_frames=False,
    )
    (folder / "video_preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n")


def make(name):
    config, processor, dtype = FIXTURES[name]()

    def attempt(seed):
        model = build(AutoModelForImageTextToText, config, dtype, seed)
        cases = expectations(model, processor)
        if cases is None:
            return False
        write(name, processor, model, dtype, cases, seed)
        return True

    search(ROOT / name, attempt)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_images(ROOT / "images")
    for chosen in sys.argv[1:] or FIXTURES:
        make(chosen)
