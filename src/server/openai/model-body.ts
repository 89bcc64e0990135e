import type { ModelInfo } from '../../core/backend.js';

/** OpenAI's model object, with the extras that vLLM and Ollama clients look for. */
export function modelBody(model: ModelInfo) {
  return {
    id: model.id,
    object: 'model',
    created: model.created,
    owned_by: model.ownedBy,
    root: model.id,
    parent: null,
    max_model_len: model.maxModelLength,
    tool_call_format: model.toolFormat ?? null,
    architecture: { input_modalities: model.inputModalities, output_modalities: ['text'] },
  };
}
