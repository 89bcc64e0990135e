/** Reads the JSON object of one tool call as it comes, so that its arguments can be sent on before it is complete. */

export type ScanState = 'open' | 'complete' | 'malformed';

type Phase = 'start' | 'key' | 'key-text' | 'colon' | 'value' | 'name' | 'raw' | 'next' | ScanState;

const SPACE = /\s/;
const ARGUMENT_KEYS: ReadonlySet<string> = new Set(['arguments', 'parameters']);

export class CallScanner {
  /** Known once it is complete. */
  name: string | undefined;
  #phase: Phase = 'start';
  /** The string or value that is being read, as it is spelled. */
  #token = '';
  #key = '';
  #depth = 0;
  #inString = false;
  #escaped = false;
  #arguments = '';
  #hasArguments = false;

  /** `isTool` says whether a name may be called. */
  constructor(private readonly isTool: (name: string) => boolean) {}

  get state(): ScanState {
    return this.#phase === 'complete' || this.#phase === 'malformed' ? this.#phase : 'open';
  }

  /** True once the call is certain enough to be sent: its name is known and its arguments have begun. */
  get begun(): boolean {
    return this.name !== undefined && (this.#hasArguments || this.#phase === 'complete');
  }

  /** Arguments that were read since the last time, as JSON text. */
  takeArguments(): string {
    const taken = this.#arguments;
    this.#arguments = '';
    return taken;
  }

  /** Returns how much of the text belongs to the object. */
  push(text: string): number {
    let at = 0;
    while (at < text.length && this.state === 'open') this.#character(text[at++]!);
    return at;
  }

  #character(character: string): void {
    if (this.#phase === 'start') this.#expect(character, '{', 'key');
    else if (this.#phase === 'key') this.#beginKey(character);
    else if (this.#phase === 'key-text') this.#string(character, (key) => this.#endKey(key));
    else if (this.#phase === 'colon') this.#expect(character, ':', 'value');
    else if (this.#phase === 'value') this.#beginValue(character);
    else if (this.#phase === 'name') this.#string(character, (name) => this.#endName(name));
    else if (this.#phase === 'raw') this.#raw(character);
    else this.#afterValue(character);
  }

  #endKey(key: string): void {
    this.#key = key;
    this.#phase = 'colon';
  }

  #endName(name: string): void {
    this.name = name;
    this.#phase = this.isTool(name) ? 'next' : 'malformed';
  }

  #expect(character: string, wanted: string, next: Phase): void {
    if (!SPACE.test(character)) this.#phase = character === wanted ? next : 'malformed';
  }

  #beginKey(character: string): void {
    this.#token = '';
    this.#expect(character, '"', 'key-text');
  }

  #beginValue(character: string): void {
    if (SPACE.test(character)) return;
    this.#token = '';
    if (this.#key === 'name') this.#phase = character === '"' ? 'name' : 'malformed';
    else {
      this.#hasArguments ||= ARGUMENT_KEYS.has(this.#key);
      this.#phase = 'raw';
      this.#raw(character);
    }
  }

  /** Collects until the closing quote. */
  #string(character: string, done: (value: string) => void): void {
    if (character !== '"' || this.#escaped) {
      this.#escaped = character === '\\' && !this.#escaped;
      this.#token += character;
      return;
    }
    try {
      done(JSON.parse(`"${this.#token}"`));
    } catch {
      this.#phase = 'malformed';
    }
  }

  /** A value of any kind ends with its last bracket or quote, or before the `,` or `}` after it. */
  #raw(character: string): void {
    if (!this.#inString && this.#depth === 0 && (character === ',' || character === '}')) {
      this.#phase = 'next';
      this.#afterValue(character);
      return;
    }
    if (ARGUMENT_KEYS.has(this.#key)) this.#arguments += character;
    if (this.#inString) this.#inString = character !== '"' || this.#escaped;
    else if (character === '"') this.#inString = true;
    else if (character === '{' || character === '[') this.#depth++;
    else if (character === '}' || character === ']') this.#depth--;
    this.#escaped = this.#inString && character === '\\' && !this.#escaped;
    if (this.#depth === 0 && !this.#inString && /["}\]]/.test(character)) this.#phase = 'next';
  }

  #afterValue(character: string): void {
    if (SPACE.test(character)) return;
    if (character === ',') this.#phase = 'key';
    else if (character === '}' && this.name !== undefined) this.#complete();
    else this.#phase = 'malformed';
  }

  #complete(): void {
    if (!this.#hasArguments) this.#arguments = '{}';
    this.#phase = 'complete';
  }
}
