/** Bytes to whole characters, holding back what may become a stop string. */

export class TextStream {
  private readonly decoder = new TextDecoder();
  private held = '';
  matched: string | null = null;

  constructor(
    private readonly stops: readonly string[],
    private readonly keepStop: boolean,
  ) {}

  /** @returns the text that is certain to be part of the answer */
  push(byte: number): string {
    this.held += this.decoder.decode(Uint8Array.of(byte), { stream: true });
    const hit = this.stops
      .map((stop) => ({ stop, at: this.held.indexOf(stop) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (hit === undefined) return this.release(this.held.length - this.longestStopPrefix());
    this.matched = hit.stop;
    return this.release(hit.at + (this.keepStop ? hit.stop.length : 0));
  }

  /** @returns what was held back, when nothing more will come */
  flush(): string {
    return this.matched === null ? this.held + this.decoder.decode() : '';
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }

  private longestStopPrefix(): number {
    const lengths = this.stops.flatMap((stop) =>
      [...stop].map((_, i) => i).filter((length) => length > 0 && this.held.endsWith(stop.slice(0, length))),
    );
    return Math.max(0, ...lengths);
  }
}
