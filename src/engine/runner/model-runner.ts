/** The runner over a compiled model: looks up embeddings, feeds the cache, runs one step, appends what is new. */

import type { Logits } from '../../decoding/logit-row.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { decoderTensorNames } from '../checkpoint/decoder-tensors.js';
import type { CompiledModel } from '../compiler/compiled-model.js';
import type { Variant } from '../graph/pipeline.js';
import { plainVariant } from '../graph/pipeline.js';
import { KernelSteps } from '../kernels/kernel-steps.js';
import { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import { decoderInputs } from '../models/decoder-ports.js';
import type { RotaryTables } from '../models/rotary.js';
import { rotaryTables } from '../models/rotary.js';
import type { DecoderShape } from '../visual-tokens/flops.js';
import { CacheFeeds } from './cache-feeds.js';
import { EmbeddingTable } from './embedding-table.js';
import { KernelForward } from './kernel-forward.js';
import { MergedFeeds } from './merged-feeds.js';
import type { Feeds, Tensor } from './ort-session.js';
import { floats } from './ort-session.js';
import { promptKernelsPay } from './prompt-kernels.js';
import { type Pass, PromptPasses } from './prompt-passes.js';
import type { PassingRows, PruningRun } from './pruning-run.js';
import { raggedFeeds } from './ragged-inputs.js';
import type { EmbeddedRows, ForwardRequest, PromptPruning, Runner } from './runner.js';
import type { StepBuffers, StepShape } from './step-buffers.js';
import { StepBufferPool } from './step-buffers.js';
import { rotaryPositions, rowPlaces, visibilityMask } from './step-inputs.js';
import { VariantSessions } from './variant-sessions.js';

const firstRotaryLength = 2048;
/** New tokens of a prompt from which graphs are faster than steps, be those kernels or graphs (measured). */
const promptRows = 24;

/** What a variant reads and returns beyond the plain step. */
export interface StepExtras {
  readonly variant: Variant;
  readonly feeds: Feeds;
}

const noLogits = new Float32Array(0);

const plainStep: StepExtras = { variant: plainVariant, feeds: {} };

export interface StepResult {
  /** `[logitRows, vocab]`, valid until the next step. */
  readonly logits: Float32Array;
  /** The further outputs of the variant, by name. */
  readonly opened: Readonly<Record<string, Float32Array>>;
}

export interface RunnerOptions {
  /** Whether long prompts run in a graph of their own; measured if absent. */
  readonly promptGraph?: boolean;
  /** Whether steps run by kernels of our own where they can (default: yes). */
  readonly kernels?: boolean;
  /** Beginning of the files that then tell, on closing, the time of every node. */
  readonly profilePrefix?: string;
}

export class ModelRunner implements Runner {
  readonly cache: SlabLaneCache;
  readonly #config: DecoderConfig;
  readonly #hasPromptGraph: boolean;
  readonly #embeddings: EmbeddingTable;
  readonly #sessions: VariantSessions;
  readonly #buffers: StepBufferPool;
  readonly #passes: PromptPasses;
  readonly #feeds = new MergedFeeds();
  readonly #cacheFeeds: CacheFeeds;
  readonly #kernels: KernelForward | undefined;
  #rotary: { readonly tables: RotaryTables; readonly feeds: Feeds };

  private constructor(
    model: CompiledModel,
    checkpoint: Checkpoint,
    sessions: VariantSessions,
    hasPromptGraph: boolean,
    kernels: KernelSteps | undefined,
  ) {
    this.#config = model.config;
    this.#hasPromptGraph = hasPromptGraph;
    this.#sessions = sessions;
    this.#embeddings = new EmbeddingTable(
      checkpoint,
      decoderTensorNames(model.config).embedding,
      model.config.hiddenSize,
    );
    this.cache = new SlabLaneCache(model.config, kernels?.slab);
    this.#kernels = kernels && new KernelForward(model.config, kernels, this.cache, this);
    this.#cacheFeeds = new CacheFeeds(this.cache, model.config);
    this.#buffers = new StepBufferPool(model.config);
    this.#passes = new PromptPasses(model.config, this.cache);
    this.#rotary = this.#rotaryFeeds(firstRotaryLength);
  }

  /** Takes over the checkpoint, which it closes in the end. */
  static async load(
    model: CompiledModel,
    checkpoint: Checkpoint,
    threads: number,
    options: RunnerOptions = {},
  ): Promise<ModelRunner> {
    const hasPromptGraph = options.promptGraph ?? (await promptKernelsPay(model, threads));
    const kernels = options.kernels === false ? undefined : await KernelSteps.load(model, threads);
    const sessions = new VariantSessions(model, threads, Date.now, options.profilePrefix);
    if (kernels === undefined || !hasPromptGraph) await sessions.get(plainVariant);
    if (hasPromptGraph) await sessions.get(plainVariant, 'prompt');
    return new ModelRunner(model, checkpoint, sessions, hasPromptGraph, kernels);
  }

  get rowsAreExact(): boolean {
    return this.#kernels !== undefined;
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get contextLength(): number {
    return this.#config.contextLength;
  }

  get shape(): DecoderShape {
    return this.#config;
  }

  async forward(request: ForwardRequest): Promise<Logits> {
    return this.#runKernels(request, plainStep) ?? (await this.step(request)).logits;
  }

  async step(request: ForwardRequest, extras: StepExtras = plainStep): Promise<StepResult> {
    const { firstLane, lanes, rows, trees } = request;
    if (request.pruning !== undefined) return this.#prune(request, request.pruning, extras);
    const byKernels = this.#runKernels(request, extras);
    if (byKernels !== undefined) return { logits: byKernels, opened: {} };
    const lengths = Array.from({ length: lanes }, (_, i) => this.cache.length(firstLane + i));
    const isPromptChunk = lanes === 1 && trees === undefined && (rows > 1 || lengths[0] === 0);
    if (this.#isRagged(firstLane, lanes, isPromptChunk)) return this.#raggedStep(request, extras);
    const capacity = isPromptChunk ? lengths[0]! : this.cache.capacity;
    const phase = this.#hasPromptGraph && isPromptChunk && rows >= promptRows ? 'prompt' : 'step';
    const shape: StepShape = { phase, lanes, rows, capacity, logitRows: request.logitRows.length };
    const buffers = this.#fill(shape, request, lengths);
    const past = isPromptChunk
      ? this.#cacheFeeds.packed(firstLane, phase)
      : this.#cacheFeeds.block(firstLane, lanes);
    const session = await this.#sessions.get(extras.variant, phase);
    const opened = Object.fromEntries(extras.variant.hiddenStates.map((layer) => [`hidden.${layer}`, null]));
    const feeds = this.#feeds.of(buffers.feeds, this.#rotary.feeds, past, extras.feeds);
    const results = await session.run(feeds, { ...buffers.fetches, ...opened });
    this.cache.appendRows(firstLane, lanes, rows, buffers.newKeys, buffers.newValues, trees?.counts);
    return { logits: buffers.logits, opened: openedFloats(results, Object.keys(opened)) };
  }

  /** Logits of a step that kernels of our own take: few rows, or many lanes, and nothing opened. */
  #runKernels(request: ForwardRequest, { variant }: StepExtras): Logits | undefined {
    const { lanes, rows, trees, pruning } = request;
    const isLongPrompt = lanes === 1 && trees === undefined && rows >= promptRows;
    if (variant !== plainVariant || isLongPrompt || pruning !== undefined) return undefined;
    return this.#kernels?.run(request);
  }

  /** Whether layers differ in the rows that the step reads. A prompt chunk never reads the slab itself. */
  #isRagged(firstLane: number, lanes: number, isPromptChunk: boolean): boolean {
    for (let lane = firstLane; lane < firstLane + lanes; lane++) {
      if (this.cache.pruned(lane) !== undefined) return true;
    }
    return !isPromptChunk && typeof this.cache.depth !== 'number';
  }

  /** A step of lanes of which some hold a pruned prompt. */
  async #raggedStep(request: ForwardRequest, { variant, feeds: extra }: StepExtras): Promise<StepResult> {
    const { firstLane, lanes, rows, trees, logitRows } = request;
    const lengths = Array.from({ length: lanes }, (_, i) => this.cache.length(firstLane + i));
    const shape: StepShape = { phase: 'step', lanes, rows, capacity: 0, logitRows: logitRows.length };
    const buffers = this.#fill(shape, request, lengths);
    const places = rowPlaces(lanes, rows, trees);
    const session = await this.#sessions.get(variant, 'ragged');
    const feeds = {
      ...buffers.feeds,
      ...this.#rotary.feeds,
      ...this.#cacheFeeds.block(firstLane, lanes),
      ...raggedFeeds(this.cache, this.#config, firstLane, lanes, places),
      ...extra,
    };
    await session.run(feeds, buffers.fetches);
    this.cache.appendRows(firstLane, lanes, rows, buffers.newKeys, buffers.newValues, trees?.counts);
    return { logits: buffers.logits, opened: {} };
  }

  /** Rows of a prompt of which layers drop tokens; with the logits of its last one the prompt is complete. */
  async #prune(request: ForwardRequest, pruning: PromptPruning, extras: StepExtras): Promise<StepResult> {
    const { firstLane: lane, rows, tokenIds, embedded, logitRows } = request;
    const pass: Pass = (passing, run) => this.#pass(lane, passing, run, extras);
    const embed = (out: Float32Array): void => this.#embed(tokenIds, embedded, out);
    if (rows > 0) await this.#passes.lower(lane, rows, pruning, embed, pass);
    const logits = logitRows.length === 0 ? undefined : await this.#passes.upper(lane, pruning, pass);
    return { logits: logits ?? noLogits, opened: {} };
  }

  async #pass(
    lane: number,
    passing: PassingRows,
    run: PruningRun,
    { variant, feeds }: StepExtras,
  ): Promise<Readonly<Record<string, Tensor>>> {
    const session = await this.#sessions.get(variant, 'pruning', this.#hasPromptGraph);
    const { tokens } = passing;
    this.#growRotary(tokens.at(-1)! + 1 - tokens.length, tokens.length);
    const past = this.#cacheFeeds.layers(lane, passing);
    const { identity } = this.#rotary.tables;
    return session.run({ ...run.feeds(identity), ...this.#rotary.feeds, ...past, ...feeds }, run.fetches());
  }

  embed({ tokenIds, embedded }: ForwardRequest, out: Float32Array): void {
    this.#embed(tokenIds, embedded, out);
  }

  rotary({ firstLane, lanes, rows }: ForwardRequest): RotaryTables {
    const lengths = Array.from({ length: lanes }, (_, i) => this.cache.length(firstLane + i));
    this.#growRotary(Math.max(...lengths), rows);
    return this.#rotary.tables;
  }

  async close(): Promise<void> {
    await this.#kernels?.close();
    await this.#sessions.close();
    this.#embeddings.close();
  }

  #fill(
    shape: StepShape,
    { lanes, rows, tokenIds, logitRows, trees, embedded }: ForwardRequest,
    lengths: readonly number[],
  ): StepBuffers {
    const group = this.#config.heads / this.#config.kvHeads;
    this.#growRotary(Math.max(...lengths), rows);
    const buffers = this.#buffers.get(shape);
    this.#embed(tokenIds, embedded, buffers.embeddings);
    const places = rowPlaces(lanes, rows, trees);
    visibilityMask(lengths, places, shape.capacity, buffers.mask);
    const { identity } = this.#rotary.tables;
    const firstQuery = shape.phase === 'step' ? identity + 1 : 0;
    rotaryPositions(lengths, places, group, { identity, firstQuery }, buffers.positions);
    for (let i = 0; i < logitRows.length; i++) buffers.logitRows[i] = BigInt(logitRows[i]!);
    return buffers;
  }

  /** Rows of the table, or what takes their place, into `out [rows, width]`. */
  #embed(tokenIds: Int32Array, embedded: readonly EmbeddedRows[] | undefined, out: Float32Array): void {
    this.#embeddings.lookUp(tokenIds, out);
    for (const { firstRow, values } of embedded ?? []) out.set(values, firstRow * this.#config.hiddenSize);
  }

  /** Doubles the tables until they hold the positions of `rows` tokens behind `cached` ones. */
  #growRotary(cached: number, rows: number): void {
    const group = this.#config.heads / this.#config.kvHeads;
    const known = this.#rotary.tables;
    // The rotary operator wants at least as many table rows as there are rows to turn, heads included.
    if (cached + rows <= known.identity && (group + 2) * rows <= known.rows) return;
    this.#rotary = this.#rotaryFeeds(Math.max(2 * known.identity, cached + rows, (group + 2) * rows));
  }

  #rotaryFeeds(length: number): { tables: RotaryTables; feeds: Feeds } {
    const tables = rotaryTables(this.#config, length);
    const shape = [tables.rows, this.#config.headDim / 2];
    const feeds: Record<string, Tensor> = {
      [decoderInputs.ropeCos]: floats(tables.cos, shape),
      [decoderInputs.ropeSin]: floats(tables.sin, shape),
    };
    return { tables, feeds };
  }
}

function openedFloats(
  results: Readonly<Record<string, Tensor>>,
  names: readonly string[],
): Record<string, Float32Array> {
  return Object.fromEntries(names.map((name) => [name, results[name]!.data as Float32Array]));
}
