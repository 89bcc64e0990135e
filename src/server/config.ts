/** Settings of the HTTP server, with their defaults. */

import { z } from 'zod';

/** What a reply tells of its drafts: nothing, sums, or sums and every step; the words are vLLM's. */
export const draftMetricsLevels = ['none', 'summary', 'detailed'] as const;
export type DraftMetricsLevel = (typeof draftMetricsLevels)[number];

export const serverConfigSchema = z
  .strictObject({
    host: z.string().min(1).default('127.0.0.1'),
    /** 0 picks a free port. */
    port: z.int().min(0).max(65_535).default(8080),
    /** Without keys the server is open to whoever can reach it. */
    apiKeys: z.array(z.string().min(1).max(512)).max(1024).default([]),
    /** Lets scrapers read `/metrics` without a key. `/health` and `/ready` never need one. */
    publicMetrics: z.boolean().default(false),
    bodyLimitBytes: z
      .int()
      .min(1024)
      .default(72 * 1024 * 1024),
    /** Longest string in a body: a data URL of a file of three quarters of that. */
    stringLimitBytes: z
      .int()
      .min(1024)
      .default(28 * 1024 * 1024),
    /** Longest time for the whole body of a request to arrive. */
    bodyTimeoutMs: z.int().min(1).default(30_000),
    /** A stream that is idle for so long gets a comment line, which keeps proxies from closing it. */
    keepAliveIntervalMs: z.int().min(10).default(15_000),
    /** Prompts of one completions request that run at the same time. */
    promptConcurrency: z.int().min(1).default(8),
    /** For each API key, or for all callers together where there are no keys. Absent: no limit. */
    rateLimits: z
      .strictObject({
        requestsPerMinute: z.int().min(1).max(1_000_000).optional(),
        /** Prompt and completion together. */
        tokensPerMinute: z.int().min(1).max(1_000_000_000).optional(),
      })
      .prefault({}),
    /** Images that requests name by an http or https URL. */
    remoteImages: z
      .strictObject({
        /** Hosts to fetch from: `example.com`, `*.example.com`, `example.com:8443` or `*`. None: never fetch. */
        hosts: z
          .array(
            z
              .string()
              .regex(
                /^(\*|(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/,
                'expected a host name in lower case',
              ),
          )
          .max(1024)
          .default([]),
        maxBytes: z
          .int()
          .min(1024)
          .default(20 * 1024 * 1024),
        /** Longest time for one image, redirects included. */
        timeoutMs: z.int().min(1).max(600_000).default(10_000),
      })
      .prefault({}),
    /** As OpenAI does, counts rejected tokens of a `prediction` among the completion tokens. */
    countRejectedPrediction: z.boolean().default(true),
    /** `metrics.speculative_decoding` in replies to requests that do not say themselves. */
    perRequestSpecDecodeMetrics: z.enum(draftMetricsLevels).default('none'),
    /** Origins of web pages that may call the API; `*` allows all. */
    corsOrigins: z.array(z.string().min(1)).default([]),
    logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  })
  .readonly();

export type ServerConfig = z.output<typeof serverConfigSchema>;
