// Results on stdout. Knows nothing of what is printed.

export type Sink = {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
};

export type Output = {
  /** One line. */
  line(text: string): void;
  /** Text as it is, such as a diff. */
  text(text: string): void;
  /** One object on one line. */
  json(value: unknown): void;
};

export function createOutput(sink: Sink): Output {
  return {
    line: (text) => void sink.write(`${text}\n`),
    text: (text) => void sink.write(text),
    json: (value) => void sink.write(`${JSON.stringify(value)}\n`),
  };
}
