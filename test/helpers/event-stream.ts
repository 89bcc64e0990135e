/** Reads a stream of server-sent events strictly: only `data:` frames and comments, nothing after `[DONE]`. */

export interface EventStreamContent {
  // biome-ignore lint/suspicious/noExplicitAny: frames are checked against the published schema instead
  readonly frames: any[];
  readonly comments: string[];
  readonly isDone: boolean;
}

export function parseEventStream(text: string): EventStreamContent {
  if (!text.endsWith('\n\n'))
    throw new Error(`the stream ends within a frame: ${JSON.stringify(text.slice(-80))}`);
  const blocks = text.slice(0, -2).split('\n\n');
  const unexpected = blocks.find((block) => block.includes('\n') || !/^(data: |: )/.test(block));
  if (unexpected !== undefined) throw new Error(`neither a data frame nor a comment: ${unexpected}`);
  const data = blocks.filter((block) => block.startsWith('data: ')).map((block) => block.slice(6));
  const end = data.indexOf('[DONE]');
  if (end >= 0 && end !== data.length - 1) throw new Error('there are frames after [DONE]');
  return {
    frames: data.filter((json) => json !== '[DONE]').map((json) => JSON.parse(json)),
    comments: blocks.filter((block) => block.startsWith(':')),
    isDone: end >= 0,
  };
}

export async function readEventStream(response: Response): Promise<EventStreamContent> {
  return parseEventStream(await response.text());
}
