import { randomUUID } from 'node:crypto';
import type { ToolFormat } from '../tool-format.js';

/** `{"name": …, "parameters": …}` and nothing else, `;` between several: Llama 3.1 to 3.3. */
export const llama3: ToolFormat = {
  name: 'llama3',
  marker: '<|python_tag|>',
  markerIsControl: true,
  markerIsOptional: true,
  begin: '',
  separator: ';',
  end: '',
  argumentsKey: 'parameters',
  recognises: (template) => template.includes('<|start_header_id|>') && template.includes('"parameters"'),
  newCallId: () => `call_${randomUUID().replaceAll('-', '')}`,
};
