/** `<org>/<name>[@revision]`, the name of a model on the hub. */

import { TrimtabError } from '../core/errors.js';

export interface ModelSpec {
  /** `<org>/<name>` */
  readonly id: string;
  /** A branch, tag or commit. */
  readonly revision: string;
}

const idPattern = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
const revisionPattern = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/;

export function isModelSpec(text: string): boolean {
  const [id, revision = 'main', ...rest] = text.split('@');
  const isSafe = !text.includes('..') && text.length <= 400;
  return isSafe && rest.length === 0 && idPattern.test(id!) && revisionPattern.test(revision);
}

export function parseModelSpec(text: string): ModelSpec {
  if (!isModelSpec(text)) {
    const problem = `expected <org>/<name> or <org>/<name>@<revision>, got ${JSON.stringify(text.slice(0, 200))}`;
    throw new TrimtabError('invalid_config', problem, { param: 'model' });
  }
  const [id, revision = 'main'] = text.split('@');
  return { id: id!, revision };
}
