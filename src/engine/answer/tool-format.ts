/** How a family of models writes tool calls: JSON objects between markers. One file per format in `formats/`. */

export type ToolFormatName = 'hermes' | 'llama3' | 'mistral';

export interface ToolFormat {
  readonly name: ToolFormatName;
  /** Stands before the calls. Absent: an answer that begins with the object of a call is one. */
  readonly marker?: string;
  /** True where the marker may be a control token, which is then kept in the text. */
  readonly markerIsControl: boolean;
  /** True if an answer may leave the marker out. */
  readonly markerIsOptional: boolean;
  /** Around the calls behind one marker, and between them if they may be several; white space is free. */
  readonly begin: string;
  readonly separator?: string;
  readonly end: string;
  /** The key of the arguments beside `name`. */
  readonly argumentsKey: 'arguments' | 'parameters';
  /** True if the chat template asks for this format. */
  recognises(template: string): boolean;
  newCallId(): string;
}
