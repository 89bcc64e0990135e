/** The tokenizer of a Hugging Face checkpoint: `tokenizer.json`, `tokenizer_config.json` and the chat template. */

import { TrimtabError } from '../../core/errors.js';
import type { Prompt } from '../../core/messages.js';
import { classifyAddedTokens } from './added-tokens.js';
import { ChatTemplate } from './chat-template.js';
import { noVisuals, placeVisuals, withoutBytes } from './image-placeholders.js';
import { readPostProcessor, type Surroundings } from './post-processor.js';
import { PromptEncoder } from './prompt-encoder.js';
import { SpecialTokenShield } from './special-token-shield.js';
import { StreamDecoder } from './stream-decoder.js';
import { makeTokenDecoder } from './token-bytes.js';
import { TokenTable } from './token-table.js';
import type {
  DecodeOptions,
  EncodedPrompt,
  EncodeOptions,
  TextStream,
  Tokenizer,
  VisualPlaceholders,
} from './tokenizer.js';
import { readTokenizerFiles, type TokenizerConfig, type TokenizerFiles } from './tokenizer-files.js';

const NONE: ReadonlySet<number> = new Set();

/** Reads the tokenizer in `folder`. Throws `invalid_checkpoint` or `unsupported_model`, naming the file. */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  return new HuggingFaceTokenizer(await readTokenizerFiles(folder));
}

export class HuggingFaceTokenizer implements Tokenizer {
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly specialTokenIds: ReadonlySet<number>;
  readonly #table: TokenTable;
  readonly #encoder: PromptEncoder;
  readonly #surroundings: Surroundings;
  readonly #shield: SpecialTokenShield;
  readonly #template: ChatTemplate | undefined;
  readonly chatTemplateSource: string;

  constructor({ tokenizer, config, chatTemplates }: TokenizerFiles) {
    const added = classifyAddedTokens(tokenizer.added_tokens, config);
    this.#table = new TokenTable(tokenizer.model.vocab, added, makeTokenDecoder(tokenizer.decoder));
    this.#encoder = new PromptEncoder(tokenizer, added);
    this.#surroundings = readPostProcessor(tokenizer.post_processor);
    this.#shield = new SpecialTokenShield(
      added.filter((token) => token.control).map((token) => token.content),
    );
    this.specialTokenIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    this.bosTokenId = this.#table.idOf(config.bos_token);
    this.eosTokenId = this.#table.idOf(config.eos_token);
    this.chatTemplateSource = [...chatTemplates.values()].join('\n');
    if (chatTemplates.size > 0) {
      this.#template = new ChatTemplate(chatTemplates, { specialTokens: namedTokens(config) });
    }
  }

  get vocabSize(): number {
    return this.#table.size;
  }

  get hasChatTemplate(): boolean {
    return this.#template !== undefined;
  }

  encode(text: string, options: EncodeOptions, maxTokens?: number): number[] {
    this.#checkLength(text, maxTokens);
    const ids = this.#encoder.encode(text, { parseControl: options.parseSpecialTokens });
    return options.addSpecialTokens
      ? [...this.#surroundings.before, ...ids, ...this.#surroundings.after]
      : ids;
  }

  encodePrompt(prompt: Prompt, maxTokens?: number, visuals?: VisualPlaceholders): EncodedPrompt {
    switch (prompt.kind) {
      case 'tokens':
        return { ids: [...prompt.ids], text: this.decode(prompt.ids, { skipSpecialTokens: false }) };
      case 'text': {
        const options = { addSpecialTokens: true, parseSpecialTokens: true };
        return { ids: this.encode(prompt.text, options, maxTokens), text: prompt.text };
      }
      case 'chat':
        return this.#encodeChat(prompt, maxTokens, visuals);
    }
  }

  /** The template writes its own beginning-of-text token, so none is added. */
  #encodeChat(
    prompt: Prompt & { kind: 'chat' },
    maxTokens: number | undefined,
    visuals: VisualPlaceholders = noVisuals,
  ): EncodedPrompt {
    if (this.#template === undefined) {
      throw new TrimtabError(
        'unsupported_parameter',
        'This model has no chat template; use /v1/completions.',
        {
          param: 'messages',
        },
      );
    }
    const { templateVariables = {} } = prompt;
    const messages = withoutBytes(prompt.messages, visuals.videoPart);
    const shielded = this.#shield.shield({ messages, templateVariables });
    const rendered = placeVisuals(this.#template.render({ ...prompt, ...shielded.value }), visuals);
    this.#checkLength(rendered, maxTokens);
    const ids = this.#encoder.encode(rendered, { parseControl: true, restore: shielded.restore });
    return { ids, text: shielded.restore(rendered) };
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions): string {
    const stream = this.stream(options);
    let text = '';
    for (let at = 0; at < ids.length; at++) text += stream.push(ids[at]!);
    return text + stream.finish();
  }

  stream(options: DecodeOptions): TextStream {
    const table = this.#table;
    const source = {
      bytes: (id: number, first: boolean) => table.bytes(id, first),
      text: (id: number) => table.text(id),
      leadingSpaces: table.leadingSpaces,
      skipped: options.skipSpecialTokens ? this.#skipped(options.kept ?? NONE) : NONE,
    };
    return new StreamDecoder(source, options.continuation ?? false);
  }

  #skipped(kept: ReadonlySet<number>): ReadonlySet<number> {
    if (kept.size === 0) return this.specialTokenIds;
    return new Set([...this.specialTokenIds].filter((id) => !kept.has(id)));
  }

  tokenBytes(id: number): Uint8Array {
    return this.#table.bytes(id);
  }

  tokenPiece(id: number): string {
    return this.#table.piece(id);
  }

  /** A cheap bound: no token stands for more characters than the longest one has. */
  #checkLength(text: string, maxTokens: number | undefined): void {
    if (maxTokens === undefined || text.length <= maxTokens * this.#table.longestPiece) return;
    const atLeast = Math.ceil(text.length / this.#table.longestPiece);
    throw new TrimtabError(
      'context_length_exceeded',
      `The prompt has ${text.length} characters, at least ${atLeast} tokens, but only ${maxTokens} tokens fit.`,
      { param: 'messages', details: { n_prompt_tokens: atLeast, n_ctx: maxTokens } },
    );
  }
}

/** The special tokens that chat templates refer to by name. */
function namedTokens(config: TokenizerConfig): Record<string, string> {
  const names = ['bos_token', 'eos_token', 'unk_token', 'pad_token'] as const;
  return Object.fromEntries(names.flatMap((name) => (config[name] ? [[name, config[name]]] : [])));
}
