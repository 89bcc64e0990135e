/** What every graph of a decoder takes and gives besides logits, by name; `pruning` and `ragged` ones have more. */

export const decoderInputs = {
  embeddings: 'inputs_embeds',
  mask: 'attention_mask',
  positions: 'positions',
  ropeCos: 'rope_cos',
  ropeSin: 'rope_sin',
  headSplit: 'head_split',
  keySplit: 'key_split',
  flatShape: 'flat_shape',
  queryShape: 'query_shape',
  maskShape: 'mask_shape',
  regroupedShape: 'regrouped_shape',
  logitRows: 'logit_rows',
} as const;

export const pastNames = (layer: number) => ({ key: `past.${layer}.key`, value: `past.${layer}.value` });
export const newNames = (layer: number) => ({ key: `new.${layer}.key`, value: `new.${layer}.value` });
/** Keys and values of the new rows of all layers as one output, since each output costs the binding some microseconds; not while pruning. */
export const allNew = 'new';
