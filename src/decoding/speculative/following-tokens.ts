/** What follows a pair of tokens in all layers of tri-grams together: a place to collect it, used again and again. */

/** Of some layers with full rows; what comes beyond is left out. */
const ROOM = 64;
/** The count of an entry that was taken. */
const TAKEN = -1;

export class FollowingTokens {
  readonly tokens = new Int32Array(ROOM);
  readonly counts = new Int32Array(ROOM);
  /** Weight of the token in the model's last ranking: 255 for the likeliest, 0 for unranked. */
  readonly recycled = new Uint8Array(ROOM);
  length = 0;
  /** Of all counts. */
  mass = 0;

  clear(): void {
    this.length = 0;
    this.mass = 0;
  }

  /** What several layers say of a token is added up. */
  add(token: number, count: number, recycled: number): void {
    let at = 0;
    while (at < this.length && this.tokens[at] !== token) at++;
    if (at === ROOM) return;
    this.mass += count;
    if (at < this.length) {
      this.counts[at]! += count;
      this.recycled[at] = Math.max(this.recycled[at]!, recycled);
      return;
    }
    this.length++;
    this.tokens[at] = token;
    this.counts[at] = count;
    this.recycled[at] = recycled;
  }

  /** Place of the most counted, of equals the best ranked, of these the first; −1 if all were taken. */
  likeliest(): number {
    let best = -1;
    let most = TAKEN;
    let rank = 0;
    for (let at = 0; at < this.length; at++) {
      const count = this.counts[at]!;
      if (count < most || count === TAKEN) continue;
      if (count === most && this.recycled[at]! <= rank) continue;
      best = at;
      most = count;
      rank = this.recycled[at]!;
    }
    return best;
  }

  take(at: number): void {
    this.counts[at] = TAKEN;
  }
}
