/** One token per byte, three control tokens on top. */

import { TrimtabError } from '../../src/core/errors.js';
import type { Prompt } from '../../src/core/messages.js';
import type {
  DecodeOptions,
  EncodedPrompt,
  EncodeOptions,
  TextStream,
  Tokenizer,
} from '../../src/engine/tokenizer/tokenizer.js';

export const BYTE_BOS = 256;
export const BYTE_EOS = 257;
export const BYTE_VOCAB_SIZE = 259;

const controlTokens = new Map([
  [BYTE_BOS, '<bos>'],
  [BYTE_EOS, '<eos>'],
  [258, '<turn>'],
]);

export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = BYTE_VOCAB_SIZE;
  readonly bosTokenId = BYTE_BOS;
  readonly eosTokenId = BYTE_EOS;
  readonly specialTokenIds = new Set(controlTokens.keys());
  readonly hasChatTemplate = true;
  readonly chatTemplateSource: string = '';

  encode(text: string, { addSpecialTokens }: EncodeOptions, maxTokens = Number.POSITIVE_INFINITY): number[] {
    const bytes = [...new TextEncoder().encode(text)];
    if (bytes.length > maxTokens) throw new TrimtabError('context_length_exceeded', 'The text is too long.');
    return addSpecialTokens ? [BYTE_BOS, ...bytes] : bytes;
  }

  encodePrompt(prompt: Prompt, maxTokens?: number): EncodedPrompt {
    if (prompt.kind === 'tokens') {
      return { ids: [...prompt.ids], text: this.decode(prompt.ids, { skipSpecialTokens: false }) };
    }
    const text =
      prompt.kind === 'text'
        ? prompt.text
        : prompt.messages.map(({ role, content }) => `${role}: ${content}\n`).join('');
    return { ids: this.encode(text, { addSpecialTokens: true, parseSpecialTokens: true }, maxTokens), text };
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions): string {
    const stream = this.stream(options);
    return Array.from(ids, (id) => stream.push(id)).join('') + stream.finish();
  }

  stream({ skipSpecialTokens }: DecodeOptions): TextStream {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) =>
        skipSpecialTokens && controlTokens.has(id)
          ? ''
          : decoder.decode(this.tokenBytes(id), { stream: true }),
      finish: () => decoder.decode(),
    };
  }

  tokenBytes(id: number): Uint8Array {
    const control = controlTokens.get(id);
    return control === undefined ? Uint8Array.of(id) : new TextEncoder().encode(control);
  }

  tokenPiece(id: number): string {
    return controlTokens.get(id) ?? `<0x${id.toString(16).toUpperCase().padStart(2, '0')}>`;
  }
}
