/**
 * How far a download is: one line that is drawn again and again on a terminal, a plain line now and then elsewhere
 * (a log file, a container).
 */

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  readonly doneBytes: number;
  /** The part of `doneBytes` that was there before, and does not count as speed. */
  readonly resumedBytes: number;
  readonly totalBytes: number;
}

const redrawMs = 100;
const plainLineMs = 10_000;
/** The rate is averaged over about this time. */
const rateWindowMs = 5000;

export class ProgressBar {
  readonly #stream: ProgressStream;
  readonly #label: string;
  readonly #now: () => number;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #lastReceived: number | undefined;
  #lastAt = 0;
  /** Bytes per millisecond. */
  #rate = 0;

  constructor(stream: ProgressStream, label: string, now: () => number = performance.now.bind(performance)) {
    this.#stream = stream;
    this.#label = label;
    this.#now = now;
  }

  /** Cheap enough for every chunk: it draws at most ten times a second. */
  update({ doneBytes, resumedBytes, totalBytes }: Progress): void {
    const now = this.#now();
    const isLast = doneBytes >= totalBytes;
    if (!isLast && now - this.#drawnAt < (this.#stream.isTTY ? redrawMs : plainLineMs)) return;
    this.#measure(doneBytes - resumedBytes, now);
    this.#drawnAt = now;
    const facts = this.#facts(doneBytes, totalBytes);
    this.#stream.write(this.#stream.isTTY ? this.#line(facts, doneBytes, totalBytes) : `${facts}\n`);
  }

  /** Leaves the line of the bar, so that what is printed next starts on its own. */
  end(): void {
    if (this.#stream.isTTY && this.#lastReceived !== undefined) this.#stream.write('\n');
  }

  #measure(received: number, now: number): void {
    const elapsed = now - this.#lastAt;
    if (this.#lastReceived !== undefined && elapsed < redrawMs) return;
    if (this.#lastReceived !== undefined) {
      const current = Math.max(0, received - this.#lastReceived) / elapsed;
      const weight = this.#rate === 0 ? 1 : 1 - Math.exp(-elapsed / rateWindowMs);
      this.#rate += weight * (current - this.#rate);
    }
    this.#lastReceived = received;
    this.#lastAt = now;
  }

  #facts(doneBytes: number, totalBytes: number): string {
    const percent = Math.floor(100 * fraction(doneBytes, totalBytes));
    const facts = `${this.#label} ${percent}% ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`;
    if (this.#rate === 0) return facts;
    const rest = Math.max(0, totalBytes - doneBytes) / this.#rate;
    return `${facts}, ${formatBytes(this.#rate * 1000)}/s${rest > 0 ? `, ${formatDuration(rest)} left` : ''}`;
  }

  /** The bar takes what the words leave of the line, up to 30 columns. */
  #line(facts: string, doneBytes: number, totalBytes: number): string {
    const room = (this.#stream.columns ?? 80) - facts.length - 4;
    const width = Math.max(0, Math.min(30, room));
    const filled = Math.round(width * fraction(doneBytes, totalBytes));
    const bar = width >= 5 ? `[${'='.repeat(filled)}${' '.repeat(width - filled)}] ` : '';
    return `\r\x1b[2K${bar}${facts}`;
  }
}

function fraction(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 1;
}

/** Decimal units, as disks and networks count: `1.5 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `45s`, `3m 20s`, `2h 5m`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}
