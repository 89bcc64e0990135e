/** An engine under measurement. Token ids are arbitrary; end-of-sequence never stops it; greedy; two threads. */
export interface Contender {
  /** Makes the model ready for its first request. */
  load(room: Room): Promise<void>;
  /** Runs a prompt from an empty cache up to its first new token. */
  prefill(prompt: readonly number[]): Promise<void>;
  /**
   * Gives `sequences` sequences the state of the last prefill and generates `steps` tokens in each, after a
   * first one. Returns the milliseconds of each step.
   */
  decode(sequences: number, steps: number): Promise<number[]>;
  close(): Promise<void>;
  /** Deletes what earlier loads compiled; absent where the engine compiles nothing. */
  forget?(): Promise<void>;
  /** Peak memory of the process that computes, in MiB, where that is not this one. */
  peakMebibytes?(): number;
}

/** The most that will be asked for. */
export interface Room {
  readonly sequences: number;
  /** Per sequence, prompt and generated together. */
  readonly tokens: number;
}

export const threads = 2;
