/** Weight files of other formats, recognised so that the error can say what to do instead. */

import type { TrimtabError } from '../../core/errors.js';
import { firstBytes, unsupportedModel } from './files.js';

const zipMagic = Buffer.from('PK\x03\x04', 'latin1');
const ggufMagic = Buffer.from('GGUF', 'latin1');
const pickleNames = /\.(bin|pt|pth|ckpt|pkl)$/;

/** Pickle can run code while it loads, so such a file is never opened further than its first bytes. */
export function refuseForeignFormat(path: string): void {
  const start = firstBytes(path, 9);
  const looksLikeSafetensors = start[8] === '{'.charCodeAt(0);
  if (looksLikeSafetensors) return;
  if (isPickle(start)) throw pickleError(path);
  if (start.subarray(0, 4).equals(ggufMagic)) throw foreignError(path, 'is a GGUF file');
}

/** For a folder without safetensors: the error that fits what lies there instead, if anything is recognised. */
export function foreignWeights(names: readonly string[]): TrimtabError | undefined {
  const pickle = names.find((name) => pickleNames.test(name));
  if (pickle !== undefined) return pickleError(pickle);
  const other = names.find((name) => /\.(gguf|onnx|h5|msgpack|npz)$/.test(name));
  return other === undefined ? undefined : foreignError(other, 'is not a safetensors file');
}

/** torch.save writes a zip archive; before that, a pickle stream of protocol 2 to 5 (0x80, then the version). */
function isPickle(start: Buffer): boolean {
  const isStream = start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5;
  return isStream || start.subarray(0, 4).equals(zipMagic);
}

function pickleError(path: string): TrimtabError {
  return foreignError(path, 'is a Python pickle, which can run code when it is loaded, and is refused');
}

function foreignError(path: string, problem: string): TrimtabError {
  const advice = 'use a revision of the model with *.safetensors, or convert it with save_pretrained()';
  return unsupportedModel(path, `${problem}; ${advice}`);
}
