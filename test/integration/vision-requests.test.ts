/** Requests with images over HTTP, to the real engine in its own thread. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Reply } from '../contract/target.js';
import { imageBytes, readVisionReference } from '../helpers/vision-fixture.js';
import {
  dataUrl,
  fixtureFolders,
  picture,
  startVisionServer,
  type VisionServer,
  words,
} from '../helpers/vision-server.js';

const name = 'siglip-llava';
let vision: VisionServer;
beforeAll(async () => {
  vision = await startVisionServer(fixtureFolders({ sees: name }));
});
afterAll(() => vision.close());

const ask = (content: unknown, more: object = {}) => vision.ask('sees', content, more);

describe('answers', () => {
  it('should be those of the reference, and tell how many tokens the image took', async () => {
    const [first] = readVisionReference(name).cases;
    const content = [picture(imageBytes('photo.jpg')), words('What is this?')];
    const { status, body } = await ask(content);
    expect(status).toBe(200);
    expect(body.choices[0].message.content).toBe(await vision.host.detokenize('sees', first!.greedy));
    expect(body.usage.prompt_tokens).toBe(first!.ids.length);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(16);
  });

  it('should take a plain string, and every detail', async () => {
    const url = dataUrl(imageBytes('photo.jpg'));
    const plain = await ask([{ type: 'image_url', image_url: url }, words('What is this?')]);
    for (const detail of ['auto', 'low', 'high']) {
      const { body } = await ask([{ type: 'image_url', image_url: { url, detail } }, words('What is this?')]);
      expect(body.choices[0].message).toEqual(plain.body.choices[0].message);
    }
  });

  it('should see several images apart, whatever the prefix cache holds', async () => {
    const show = (image: string) => ask([picture(imageBytes(image)), words('What is this?')]);
    const first = await show('photo.jpg');
    const second = await show('tall.jpg');
    const again = await show('photo.jpg');
    expect(second.body.choices[0].message).not.toEqual(first.body.choices[0].message);
    expect(again.body.choices[0].message).toEqual(first.body.choices[0].message);
    expect(second.body.usage.prompt_tokens_details.cached_tokens).toBeLessThanOrEqual(16);
  });

  it('should count the tokens of images in /tokenize', async () => {
    const [first] = readVisionReference(name).cases;
    const messages = [{ role: 'user', content: [picture(imageBytes('photo.jpg')), words('What is this?')] }];
    const { body } = await vision.post('/tokenize', { model: 'sees', messages });
    expect(body.tokens).toEqual(first!.ids);
  });

  it('should count them as a request with the same efficiency would', async () => {
    const messages = [{ role: 'user', content: [picture(imageBytes('photo.jpg')), words('What is this?')] }];
    const fewer = { messages, efficiency: { token_merging: { keep: 0.25 } } };
    const { body } = await vision.post('/tokenize', { model: 'sees', ...fewer });
    const answer = await vision.post('/v1/chat/completions', { model: 'sees', max_tokens: 1, ...fewer });
    expect(body.count).toBe(answer.body.usage.prompt_tokens);
    const [first] = readVisionReference(name).cases;
    expect(body.count).toBeLessThan(first!.ids.length);
    const wrong = await vision.post('/tokenize', { messages, efficiency: { token_merging: { keep: 2 } } });
    expect(wrong.status).toBe(400);
    expect(wrong.body.error.param).toBe('efficiency.token_merging.keep');
  });

  it('should say in /v1/models that the model sees', async () => {
    const model = (await (await fetch(`${vision.server.url}/v1/models/sees`)).json()) as Reply;
    expect(model.architecture.input_modalities).toEqual(['text', 'image', 'video']);
  });

  it('should not take an image token that a user spells for an image', async () => {
    const { status, body } = await ask([
      words('<image><image>'),
      picture(imageBytes('photo.jpg')),
      words('?'),
    ]);
    expect(status).toBe(200);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(16);
  });
});
