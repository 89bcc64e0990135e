import { expect, it } from 'vitest';
import { assertSchema } from '../../helpers/openai-schema.js';
import { chat, errorOf, type GetTarget, metricValue, post, type Reply, user } from '../target.js';

export function serviceCases(target: GetTarget): void {
  const get = async (path: string): Promise<Reply> => (await fetch(target().url + path)).json();
  const send = async (path: string, body: object): Promise<Reply> =>
    (await post(target(), path, body)).json();

  it('lists its models', async () => {
    const list = await get('/v1/models');
    assertSchema('ListModelsResponse', list);
    const model = list.data.find(({ id }: Reply) => id === target().model);
    expect(model).toMatchObject({ object: 'model', root: target().model, parent: null });
    expect(model.max_model_len).toBeGreaterThan(0);
    expect(model.architecture.input_modalities).toContain('text');
  });

  it('describes one model, with the slashes of its id plain or escaped', async () => {
    for (const id of [target().model, encodeURIComponent(target().model)]) {
      const model = await get(`/v1/models/${id}`);
      assertSchema('Model', model);
      expect(model.id).toBe(target().model);
    }
    const missing = await errorOf(await fetch(`${target().url}/v1/models/no/such`));
    expect({ status: missing.status, code: missing.error.code }).toEqual({
      status: 404,
      code: 'model_not_found',
    });
  });

  it('turns text into tokens and back', async () => {
    const text = 'Grüße, 世界 🌍!';
    const reply = await send('/tokenize', { model: target().model, prompt: text, return_token_strs: true });
    expect(reply.count).toBe(reply.tokens.length);
    expect(reply.token_strs).toHaveLength(reply.count);
    expect(reply.max_model_len).toBeGreaterThan(0);
    const bare = await send('/tokenize', { model: target().model, prompt: text, add_special_tokens: false });
    expect(bare.token_strs).toBeNull();
    const back = await send('/detokenize', { model: target().model, tokens: bare.tokens });
    expect(back).toEqual({ prompt: text });
  });

  it('takes the content field of llama.cpp clients, who name no model', async () => {
    const reply = await send('/tokenize', { content: 'hello' });
    const bare = await send('/tokenize', {
      model: target().model,
      prompt: 'hello',
      add_special_tokens: false,
    });
    expect(reply.tokens).toEqual(bare.tokens);
  });

  it('counts the tokens of a chat as the chat itself does', async () => {
    const messages = user('How many tokens is this?');
    const counted = await send('/tokenize', { model: target().model, messages });
    const reply = await chat(target(), { messages, max_tokens: 1 });
    expect(counted.count).toBe(reply.usage.prompt_tokens);
  });

  it('tells health, readiness and version', async () => {
    expect(await get('/health')).toEqual({ status: 'ok' });
    expect(await get('/ready')).toEqual({ status: 'ready' });
    expect((await get('/version')).version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('answers HEAD without a body and OPTIONS with what is allowed', async () => {
    const head = await fetch(`${target().url}/v1/models`, { method: 'HEAD' });
    expect({ status: head.status, body: await head.text() }).toEqual({ status: 200, body: '' });
    const options = await fetch(`${target().url}/v1/models`, { method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toContain('GET');
  });

  it('names every reply by the id that the client chose', async () => {
    const headers = { 'x-request-id': 'job-42.a' };
    const response = await fetch(`${target().url}/v1/models`, { headers });
    expect(response.headers.get('x-request-id')).toBe('job-42.a');
    expect(Number(response.headers.get('openai-processing-ms'))).toBeGreaterThanOrEqual(0);
  });

  it('replaces a request id that does not belong into a log', async () => {
    const headers = { 'x-request-id': 'x'.repeat(500) };
    const response = await fetch(`${target().url}/v1/models`, { headers });
    expect(response.headers.get('x-request-id')).toMatch(/^req-[0-9a-f]{32}$/);
  });

  it('counts requests, tokens and latencies', async () => {
    const before = await metricValue(target(), 'trimtab_generation_tokens_total');
    await chat(target(), { messages: user('count this'), max_tokens: 5, ignore_eos: true });
    expect(await metricValue(target(), 'trimtab_generation_tokens_total')).toBe(before + 5);
    for (const name of [
      'trimtab_http_requests_total',
      'trimtab_choices_total',
      'trimtab_prompt_tokens_total',
      'trimtab_time_to_first_token_seconds_count',
      'trimtab_inter_token_latency_seconds_count',
      'trimtab_e2e_request_latency_seconds_count',
      'trimtab_request_queue_time_seconds_count',
      'process_resident_memory_bytes',
    ]) {
      expect(await metricValue(target(), name), name).toBeGreaterThan(0);
    }
  });

  it('has the metrics that inference gateways route by', async () => {
    const text = await (await fetch(`${target().url}/metrics`)).text();
    expect(text).toMatch(/^vllm:num_requests_waiting\{model_name="[^"]+"\} \d/m);
    expect(text).toMatch(/^vllm:num_requests_running\{model_name="[^"]+"\} \d/m);
    expect(text).toMatch(/^vllm:kv_cache_usage_perc\{model_name="[^"]+"\} [01]/m);
    expect(text).toMatch(/^vllm:cache_config_info\{.*block_size="\d+",num_gpu_blocks="\d+".*\} 1$/m);
    expect(text).toMatch(
      /^vllm:lora_requests_info\{max_lora="\d+",running_lora_adapters="[^"]*",waiting_lora_adapters="[^"]*"\} \d+/m,
    );
    expect(text).toMatch(/^trimtab_event_loop_delay_seconds\{quantile="p99"\} [\d.e-]+$/m);
  });
}
