/** What may be drafted for one request: as asked for and as the model allows it, and the receipt afterwards. */

import { addDraftReceipts, type DraftReceipt } from '../../core/draft-receipt.js';
import type {
  DraftSourceName,
  DraftVerification,
  EfficiencyOptions,
  NumericsClass,
} from '../../core/efficiency.js';
import { defaultEfficiency, efficiencyPlan, isAutomatic } from '../../core/efficiency.js';
import type { GenerateRequest } from '../../core/messages.js';
import type { DraftRules } from '../../decoding/speculative/draft-tree.js';
import type { Drafter } from '../../decoding/speculative/drafter.js';
import type { Drafting } from '../../decoding/speculative/drafting.js';
import type { EncodedPrompt } from '../tokenizer/tokenizer.js';
import { draftReceipt } from './draft-receipt.js';

/** What all requests to one model share. */
export interface DraftingModel {
  readonly fingerprint: string;
  /** Undefined for a model that never drafts. */
  readonly drafting: Drafting | undefined;
  readonly numericsClass: NumericsClass;
  /** See `Runner`. */
  readonly rowsAreExact: boolean;
  /** What holds where a request says nothing: of the model, of the server. */
  readonly efficiency: readonly EfficiencyOptions[];
}

export interface DraftingPrompt extends Pick<EncodedPrompt, 'ids'> {
  /** The caller's guess at the answer, in one reading or several. */
  readonly predictionIds?: readonly (readonly number[])[] | undefined;
}

/** What the receipt asks of a sequence. */
export interface DraftingSequence {
  readonly openedDrafter: Drafter | undefined;
  readonly outputLength: number;
}

/** Sources that are told what comes, and need not look for it. */
const GIVEN: readonly DraftSourceName[] = ['grammar', 'prediction'];
/** The bias that rules a token out. */
const BAN = -100;

export class RequestDrafts {
  readonly #request: GenerateRequest;
  readonly #prompt: DraftingPrompt;
  readonly #model: DraftingModel;
  /** Undefined: one token per step. */
  readonly #plan: DraftVerification | undefined;
  /** Whether somebody asked for drafts, in so many words or by a guess. */
  readonly #isWanted: boolean;
  readonly #banned: ReadonlySet<number>;

  constructor(request: GenerateRequest, prompt: DraftingPrompt, model: DraftingModel) {
    this.#request = request;
    this.#prompt = prompt;
    this.#model = model;
    const asked = [request.efficiency, ...model.efficiency];
    const hasPrediction = prompt.predictionIds !== undefined;
    const byDefault = defaultEfficiency(model.numericsClass, hasPrediction);
    this.#plan = efficiencyPlan(...asked, byDefault).draftVerification;
    this.#isWanted = hasPrediction || efficiencyPlan(...asked).draftVerification !== undefined;
    this.#banned = new Set(request.sampling.logitBias.flatMap(([id, bias]) => (bias <= BAN ? [id] : [])));
  }

  /** True if near ties are left to plain steps; draws have no ties. */
  get isStrict(): boolean {
    return this.#plan?.strict === true && !this.#model.rowsAreExact;
  }

  /** Most tokens that a step may draft; undefined if none may. */
  get maxTokens(): number | undefined {
    const { drafting, numericsClass } = this.#model;
    const isRefused = this.#plan?.strict && numericsClass === 'B';
    if (this.#plan === undefined || drafting === undefined || isRefused) return undefined;
    const asked = this.#plan.maxTokens === 'auto' ? Number.POSITIVE_INFINITY : this.#plan.maxTokens;
    return Math.min(asked, drafting.maxRows - 1);
  }

  /** `tokens` are those of one choice, and grow with it; undefined if it shall not draft. */
  open(tokens: readonly number[], rules: Omit<DraftRules, 'isBanned'>): Drafter | undefined {
    const { drafting, fingerprint } = this.#model;
    const maxNodes = this.maxTokens;
    if (this.#plan === undefined || drafting === undefined || maxNodes === undefined) return undefined;
    const sources = this.#sources(this.#plan, drafting, rules.allowedAfter !== undefined);
    if (sources.length === 0) return undefined;
    const { tenant, cacheSalt, cachePrompt, sampling } = this.#request;
    return drafting.begin({
      tokens,
      rules: { ...rules, isBanned: (token) => this.#banned.has(token) },
      promptLength: this.#prompt.ids.length,
      prediction: this.#prompt.predictionIds,
      scope: JSON.stringify([fingerprint, tenant ?? null, cacheSalt ?? null]),
      temperature: sampling.temperature,
      method: this.#plan.method,
      sources,
      maxNodes,
      remember: cachePrompt,
    });
  }

  /** What pays in steps of this model; none if nothing does. Who says more than `auto` is taken at his word. */
  #sources(plan: DraftVerification, drafting: Drafting, hasGrammar: boolean): readonly DraftSourceName[] {
    if (this.#isWanted && !isAutomatic(plan)) return plan.sources;
    if (drafting.paysFor(this.#isWanted ? 'asked' : 'none')) return plan.sources;
    const isTold = this.#prompt.predictionIds !== undefined || (this.#isWanted && hasGrammar);
    return isTold && drafting.paysFor('told') ? GIVEN : [];
  }

  /** Of all choices together; undefined if nothing may be drafted. */
  receipt(sequences: readonly DraftingSequence[]): DraftReceipt | undefined {
    const { maxTokens } = this;
    if (maxTokens === undefined) return undefined;
    const shape = { maxDraftTokens: maxTokens, stepByStep: this.#request.draftsStepByStep === true };
    return sequences
      .map(({ openedDrafter, outputLength }) => draftReceipt(openedDrafter, outputLength, shape))
      .reduce(addDraftReceipts);
  }
}
