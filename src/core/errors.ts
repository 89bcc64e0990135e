/**
 * Every error that a caller can meet, in one table: stable code, HTTP status and OpenAI error type.
 * `docs/errors.md` lists the same codes; a test keeps the two equal.
 */

interface ErrorKind {
  readonly status: number;
  readonly type: string;
  readonly summary: string;
}

const kinds = {
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    summary: 'A field has a wrong type, value or range.',
  },
  invalid_json: {
    status: 400,
    type: 'invalid_request_error',
    summary: 'The body is not a JSON object in UTF-8.',
  },
  invalid_image: {
    status: 400,
    type: 'invalid_request_error',
    summary: 'An image or video cannot be fetched or decoded, or is over a limit.',
  },
  unsupported_parameter: {
    status: 400,
    type: 'invalid_request_error',
    summary: 'The field is known but this server or model cannot honour it.',
  },
  context_length_exceeded: {
    status: 400,
    type: 'invalid_request_error',
    summary: 'Prompt and requested output do not fit in the context of the model.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    summary: 'The API key is missing or unknown.',
  },
  model_not_found: { status: 404, type: 'not_found_error', summary: 'No model of that name is served here.' },
  not_found: { status: 404, type: 'not_found_error', summary: 'No such path.' },
  method_not_allowed: {
    status: 405,
    type: 'invalid_request_error',
    summary: 'The path exists, the method does not.',
  },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    summary: 'The body did not arrive in time.',
  },
  payload_too_large: {
    status: 413,
    type: 'invalid_request_error',
    summary: 'The body is over the size limit.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request_error',
    summary: 'The content type is not JSON.',
  },
  client_closed_request: {
    status: 499,
    type: 'invalid_request_error',
    summary: 'The client went away (logs only).',
  },
  queue_full: {
    status: 429,
    type: 'rate_limit_error',
    summary: 'Too many requests are waiting; retry later.',
  },
  rate_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    summary: 'The requests or tokens per minute of the API key are used up.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    summary: 'An unexpected error; the log has its details.',
  },
  engine_failure: {
    status: 500,
    type: 'server_error',
    summary: 'The engine failed while it served the request.',
  },
  model_unavailable: {
    status: 503,
    type: 'unavailable_error',
    summary: 'The model is loading or restarting.',
  },
  shutting_down: {
    status: 503,
    type: 'unavailable_error',
    summary: 'The server is draining before it stops.',
  },
  invalid_config: { status: 500, type: 'server_error', summary: 'A configuration file or flag is wrong.' },
  invalid_checkpoint: {
    status: 500,
    type: 'server_error',
    summary: 'A checkpoint file is damaged or inconsistent.',
  },
  unsupported_model: {
    status: 500,
    type: 'server_error',
    summary: 'The checkpoint needs a feature that is not supported.',
  },
  download_failed: {
    status: 502,
    type: 'server_error',
    summary: 'A file could not be fetched from the model hub.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof kinds;
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = kinds;

export interface ErrorOptions {
  /** The request field (`messages[0].role`) or file that is at fault. */
  readonly param?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** Extra facts for the error body, for example `{ n_prompt_tokens, n_ctx }`. */
  readonly details?: Readonly<Record<string, number | string>> | undefined;
  readonly cause?: unknown;
}

/** A mistake of the caller or a condition that the caller can act on; anything else is a bug. */
export class TrimtabError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly details: Readonly<Record<string, number | string>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'TrimtabError';
    this.code = code;
    this.param = options.param;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.details = options.details;
  }

  get status(): number {
    return kinds[this.code].status;
  }

  get type(): string {
    return kinds[this.code].type;
  }
}

/** The shape in which an error crosses a thread boundary. */
export interface SerializedError extends ErrorOptions {
  readonly code: ErrorCode;
  readonly message: string;
}

export function serializeError(error: unknown): SerializedError {
  if (error instanceof TrimtabError) {
    const { code, message, param, retryAfterSeconds, details } = error;
    return { code, message, param, retryAfterSeconds, details };
  }
  return { code: 'engine_failure', message: error instanceof Error ? error.message : String(error) };
}

export function deserializeError(error: SerializedError): TrimtabError {
  return new TrimtabError(error.code, error.message, error);
}
