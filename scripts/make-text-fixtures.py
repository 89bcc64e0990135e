"""Makes the tokenizers and the reference results that test/unit/engine/tokenizer compares against.

    python scripts/make-text-fixtures.py

Needs `transformers` 5 and `tokenizers`. Everything is trained on and rendered from text written here, and
every expected value comes from those two libraries, so a difference in a test is a difference from them.
The chat templates themselves (test/fixtures/chat-templates/*.jinja) are sources; the rest is output.
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.utils.chat_template_utils import render_jinja_template

FIXTURES = Path(__file__).resolve().parent.parent / "test" / "fixtures"
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TRAINING = """
The harbour wakes before the town does. Boats knock against the wooden pier, and the first lamp goes on at six.
A small rudder on the edge of the big rudder turns the ship; the sailors call it a trim tab.
She counted 17 gulls, 3 crates and 128 coils of rope, then wrote the numbers down: 17, 3, 128.
"Where are you going?" he asked. "I'm going where the wind goes," she said, "and you're not coming."
It doesn't matter, they've said so before; we'll see what he'd do. That's that.
Der Hafen erwacht vor der Stadt. Über den Dächern fliegen Möwen, und größere Schiffe warten draußen.
Le port s'éveille avant la ville. L'été, les pêcheurs réparent leurs filets à côté du phare.
El puerto despierta antes que la ciudad. ¿Quién cuenta las gaviotas? El niño, mañana por la mañana.
Гавань просыпается раньше города. Чайки кричат над водой, и первый фонарь загорается в шесть часов.
Το λιμάνι ξυπνά πριν από την πόλη. Οι γλάροι πετούν πάνω από τα καράβια.
港は町より先に目を覚ます。小さな舵が大きな船を動かす。
港口比城市醒得更早。小小的舵能让大船转向。
항구는 도시보다 먼저 깨어난다. 작은 키가 큰 배를 움직인다.
الميناء يستيقظ قبل المدينة. النوارس تحلق فوق الماء.
הנמל מתעורר לפני העיר. השחפים עפים מעל המים.
बंदरगाह शहर से पहले जागता है। छोटी पतवार बड़े जहाज को मोड़ती है।
def turn(ship, angle=0.5):
    if angle > 90:
        raise ValueError("too far")
    return ship.rudder * angle  # the tab does the work
for (let i = 0; i < boats.length; i++) { total += boats[i].weight; }
{"name": "turn", "arguments": {"angle": 45, "fast": true}}
You are a helpful assistant. What is the weather in the harbour today? The weather is fine, with a light wind.
"""

CORPUS = [
    "", " ", "  ", "\n", "\n\n\n", "\t", " \n \n ", "a", " a", "a ", "  a  b   c    ",
    "The harbour wakes before the town does.",
    "I'm sure they'll say it's what we'd've done, isn't it? IT'S! WE'LL! ’s",
    "Numbers 1 12 123 1234 12345 3.14159 1,000,000 -7 +8 1e-9 0x1F ²³ ½ ⅷ ٣٤٥ १२३ 一二三",
    "Über größere Straßen; naïve façade, coöperate, Ångström, İstanbul, ﬁnancial ﬀ",
    "cafe\u0301 e\u0301\u0302 n\u0303 a\u0308 \u1112\u1161\u11ab \u212b \u00c5 o\u031b\u0323",
    "Гавань просыпается раньше города, ёлка, Їжак.",
    "Το λιμάνι ξυπνά πριν από την πόλη· ΐ ΰ Ὀδυσσεύς.",
    "港は町より先に目を覚ます。カタカナ、ひらがな、漢字、ﾊﾝｶｸ。",
    "港口比城市醒得更早。𠜎𠜱𠝹𠱓 生僻字",
    "항구는 도시보다 먼저 깨어난다. ㄱㄴㄷ",
    "الميناء يستيقظ قبل المدينة، أَهْلًا وَسَهْلًا. ﷺ",
    "הנמל מתעורר לפני העיר, שָׁלוֹם.",
    "बंदरगाह शहर से पहले जागता है। क्षत्रिय ज़रूर",
    "ท่าเรือตื่นก่อนเมือง ကမ်း កំពង់ফে ஆறு తెలుగు ಕನ್ನಡ മലയാളം සිංහල ଓଡ଼ିଆ ਪੰਜਾਬੀ ગુજરાતી",
    "ნავსადგური Նավահանգիստ ወደብ ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ᠮᠣᠩᠭᠣᠯ བོད་ཡིག ⴰⵎⴰⵣⵉⵖ 𐌲𐌿𐍄 𒀭 𓂀",
    "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇯🇵 ❤️ ☎︎ 1️⃣ 🧑🏿‍🚀 🫠 ©️ 😀😃😄",
    "math ∑ ∫ √ ≤ ≠ ∞ 𝔸𝕓𝒞 ℵ₀ x² H₂O ½ α→β ⟨φ|ψ⟩ ∀x∈ℝ",
    "currency €100 £5 ¥20 ₹7 ₿ ¢ – — ‘quotes’ “double” «guillemets» … • † ‡ § ¶",
    "zero\u200bwidth \u200d\u200c\u200e\u200f\u2060 \ufeffbom in\ufeffside soft\u00adhyphen",
    "spaces\u00a0nbsp\u2002en\u2003em\u2009thin\u202fnnbsp\u3000ideographic\u1680ogham\u0085nel\u2028ls\u2029ps",
    "a\u0085b \u0085 c\u0085\u0085 \ufeff d\ufeff\ufeff", "x \u00a0 y\u2003\u2003z",
    "control \u0000\u0001\u0007\u001b[31m\u007f\u0080\u009f end", "tabs\t\tand\r\nwindows\r\n\r\nlines\rmac",
    "def turn(ship, angle=0.5):\n    if angle > 90:\n        raise ValueError(\"too far\")\n\treturn ship\n\n\n",
    "for (let i = 0; i < boats.length; i++) { total += boats[i].weight; } // ===>>> !!!",
    "https://example.org/a?b=c&d=%20e#f user@example.org C:\\path\\file.txt /usr/local/bin",
    "{\"name\": \"turn\", \"arguments\": {\"angle\": 45, \"fast\": true}}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "harbour" * 60, "ab" * 300, " " * 130, "\n" * 70, "-" * 90, "1234567890" * 20, "港" * 50, "🏳️‍🌈" * 12, "!?" * 80,
    "<|im_start|>user\nhi<|im_end|>", "text<|im_end|>text", " <|im_end|> ", "<|im_end|><|im_end|>",
    "<|endoftext|>", "<|endoftext|", "<|endoftext|>>", "<|im_ end|> <| im_end|>", "<|IM_END|>", "<s>", "</s>",
    "<s>[INST] hi [/INST]</s>", "a<s>b</s>c", "<unk>", "<0x41><0xE2><0x82>", "<0xFF>", "▁", "▁▁x▁y", "Ġthe Ċ ĉ",
    "<think>why</think> because", "<|begin_of_text|>x", "<tool_call>{}</tool_call>", "keep  <think>  spaces  </think>  ",
    "\u0120\u010a\u0100", "mixed 日本語 and English и русский 123abc456", "Straße123straße", "ǅ Ǆ ǆ ß ẞ ſ K",
    "\ue000\uf8ff\U000f0000\U0010fffd", "\ufffd \ufffe \uffff", "end with space ", "\u0301leading combining",
    "   leading spaces", "\n\nleading newlines", "I'VE 'Ll 'RE don''t '''", "......,,,,,;;;;", "snake_case camelCase __init__",
]

CONVERSATIONS = {
    "single": [{"role": "user", "content": "Where is the harbour?"}],
    "system": [
        {"role": "system", "content": "You are a terse harbour master."},
        {"role": "user", "content": "Where is the harbour?"},
    ],
    "multi-turn": [
        {"role": "system", "content": "  Answer in one line.  "},
        {"role": "user", "content": "  Hello, who are you?\n"},
        {"role": "assistant", "content": " I am the harbour.  "},
        {"role": "user", "content": "How many boats?\n\nCount \"them\" & tell <me>."},
        {"role": "assistant", "content": "17 🚢"},
        {"role": "user", "content": "Größer?"},
    ],
    "assistant-last": [
        {"role": "user", "content": "Finish the line."},
        {"role": "assistant", "content": "A small rudder turns"},
    ],
    "reasoning": [
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "<think>\n\n  two and two\n</think>\n\n  It is 4."},
        {"role": "user", "content": "Sure?"},
    ],
    "tool-calls": [
        {"role": "user", "content": "Turn the ship."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "turn", "arguments": {"angle": 45, "note": "süd \"now\""}}},
                {"id": "call_2", "type": "function", "function": {"name": "stop", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "{\"ok\": true}", "tool_call_id": "call_1", "name": "turn"},
        {"role": "tool", "content": "stopped", "tool_call_id": "call_2", "name": "stop"},
        {"role": "user", "content": "Thanks"},
    ],
    "empty": [{"role": "user", "content": ""}],
    "two-users": [{"role": "user", "content": "One"}, {"role": "user", "content": "Two"}],
    "assistant-first": [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Hi"}],
}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "turn",
            "description": "Turns the ship & logs <it>.",
            "parameters": {
                "type": "object",
                "properties": {"angle": {"type": "number", "description": "degrees, −90…90"}, "fast": {"type": "boolean"}},
                "required": ["angle"],
            },
        },
    }
]

SMALL_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def lines():
    return [line for line in TRAINING.strip().splitlines()]


def byte_level_trainer(size, specials):
    return trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=specials, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )


def gpt2_like():
    """Digits one by one, then GPT-2's pattern inside ByteLevel, as in SmolLM."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(lines(), byte_level_trainer(700, SMALL_SPECIALS))
    return tokenizer, {"bos_token": "<|endoftext|>", "eos_token": "<|im_end|>", "tokenizer_class": "GPT2Tokenizer"}, "chatml"


def llama3_like():
    """NFC, a Split pattern, whole words before merges, a beginning-of-text token, and tags that are not special."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(lines(), byte_level_trainer(800, []))
    tokenizer.add_special_tokens(
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]
    )
    tokenizer.add_tokens(
        [
            AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False, lstrip=True),
            AddedToken("<tool_call>", normalized=False, rstrip=True), AddedToken("</tool_call>", normalized=True),
            AddedToken("naïve", normalized=True, single_word=True),
        ]
    )
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B",
                special_tokens=[("<|begin_of_text|>", bos)],
            ),
        ]
    )
    return tokenizer, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "tokenizer_class": "PreTrainedTokenizerFast"}, "llama-3"


def sentencepiece_model():
    """Merges over ▁-marked words, with all 256 bytes to fall back on; most scripts have no token of their own."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trained.train_from_iterator(
        lines(), trainers.BpeTrainer(vocab_size=500, min_frequency=2, limit_alphabet=110, show_progress=False)
    )
    learned = json.loads(trained.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += sorted(learned["vocab"], key=learned["vocab"].get) + ["▁▁", "▁▁▁▁"]
    merges = [tuple(pair) for pair in learned["merges"]] + [("▁", "▁"), ("▁▁", "▁▁")]
    vocab = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    return models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)


def sentencepiece_like(tokenizer):
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer"}


def llama2_like():
    """The space is put in front by a normalizer, after every special token again."""
    tokenizer = Tokenizer(sentencepiece_model())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer, sentencepiece_like(tokenizer), "llama-2"


def mistral_like():
    """The space is put in front by Metaspace, at the start of the text only."""
    tokenizer = Tokenizer(sentencepiece_model())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return tokenizer, sentencepiece_like(tokenizer), "mistral"


def encodings(tokenizer, text):
    """ids: special tokens parsed and added; plain: parsed, none added; literal: none parsed, none added."""
    tokenizer.encode_special_tokens = False
    ids = tokenizer.encode(text, add_special_tokens=True).ids
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = True
    literal = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    return {"text": text, "ids": ids, "plain": plain, "literal": literal}


def decodings(tokenizer, rng):
    size = tokenizer.get_vocab_size()
    samples = [[rng.randrange(size) for _ in range(rng.randrange(1, 24))] for _ in range(60)]
    samples += [tokenizer.encode(text).ids for text in CORPUS]
    return [
        {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True), "raw": tokenizer.decode(ids, skip_special_tokens=False)}
        for ids in samples
    ]


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="utf-8")


def write_tokenizers():
    rng = random.Random(7)
    for make in (gpt2_like, llama3_like, llama2_like, mistral_like):
        tokenizer, config, template = make()
        folder = FIXTURES / "tokenizers" / make.__name__.replace("_", "-")
        write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
        write_json(folder / "tokenizer_config.json", {**config, "clean_up_tokenization_spaces": False})
        source = (FIXTURES / "chat-templates" / f"{template}.jinja").read_text(encoding="utf-8")
        (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
        write_json(
            folder / "expected.json",
            {
                "encodings": [encodings(tokenizer, text) for text in CORPUS],
                "decodings": decodings(tokenizer, rng),
                "chats": chats(tokenizer, config, source),
            },
        )


def chats(tokenizer, config, source):
    """Rendered conversations as ids, the way apply_chat_template(tokenize=True) makes them."""
    rendered = [(name, render(source, config, name, add_generation_prompt=True)) for name in CONVERSATIONS]
    return [
        {"conversation": name, "text": result["text"], "ids": tokenizer.encode(result["text"], add_special_tokens=False).ids}
        for name, result in rendered if "text" in result
    ]


def render(source, config, conversation, **options):
    specials = {name: token for name, token in config.items() if name in ("bos_token", "eos_token", "unk_token")}
    try:
        texts, _ = render_jinja_template([CONVERSATIONS[conversation]], chat_template=source, **specials, **options)
        return {"text": texts[0]}
    except Exception as error:  # the template's own refusal, or what jinja2 makes of the conversation
        return {"error": str(error)}


def write_renderings():
    config = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    variants = [
        {"add_generation_prompt": True}, {"add_generation_prompt": False},
        {"add_generation_prompt": True, "tools": TOOLS}, {"continue_final_message": True},
        {"add_generation_prompt": True, "enable_thinking": False},
    ]
    cases = []
    for path in sorted((FIXTURES / "chat-templates").glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for conversation, messages in CONVERSATIONS.items():
            for options in variants:
                if options.get("continue_final_message") and messages[-1]["role"] != "assistant":
                    continue
                case = {"template": path.stem, "conversation": conversation, "options": options}
                cases.append({**case, **render(source, config, conversation, **options)})
    write_json(FIXTURES / "chat-templates" / "expected.json", {"variables": config, "conversations": CONVERSATIONS, "cases": cases})


def main():
    write_renderings()
    write_tokenizers()


if __name__ == "__main__":
    main()
