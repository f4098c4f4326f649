import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { DecoderStream, Encoder } from 'cbor-x';
import { SmartZoneError } from '../../protocol/errors.js';
import type { LabelEvent } from './label-event.js';

/**
 * Labels on disk, in the clear: a CBOR sequence (RFC 8742) that begins with a marker. For dry runs of rules against what
 * really happened. The file is made with mode 0600; whoever reads it knows what was seen.
 *
 * cbor-x serves here, and not for messages: it is fast and keeps bytes and floats as they are, and nobody's trust hangs on the
 * encoding being the only possible one.
 */
const MARKER = 'smart-zone/1/labels';

export class LabelRecorder {
  readonly #encoder = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true });
  readonly #file: WriteStream;

  private constructor(file: WriteStream) {
    this.#file = file;
    this.#file.write(this.#encoder.encode(MARKER));
  }

  /** @throws what the file system says: the file must not exist yet, a recording is not overwritten. */
  static async create(path: string): Promise<LabelRecorder> {
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    await once(file, 'open');
    return new LabelRecorder(file);
  }

  write(label: LabelEvent): void {
    this.#file.write(this.#encoder.encode(label));
  }

  async close(): Promise<void> {
    this.#file.end();
    await once(this.#file, 'close');
  }
}

/** The labels of a recording, in order. @throws MALFORMED where the file is none, or ends in the middle of a label. */
export async function* readRecording(path: string): AsyncGenerator<LabelEvent> {
  const decoder = createReadStream(path).pipe(new DecoderStream({ useRecords: false }));
  let first = true;
  try {
    for await (const item of decoder) {
      if (first && item !== MARKER) throw new Error('it does not begin like one');
      if (!first) yield asLabel(item);
      first = false;
    }
    if (first) throw new Error('it is empty');
  } catch (error) {
    throw new SmartZoneError(
      'MALFORMED',
      `${path} is not a recording of labels: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

const asLabel = (item: unknown): LabelEvent => {
  const label = item as Partial<LabelEvent> | null;
  if (typeof label !== 'object' || label === null) throw new Error('an item is not a label');
  const { device, sensor, results, sensorTime, number } = label;
  if (!device || !sensor || !results || typeof sensorTime !== 'number' || typeof number !== 'number')
    throw new Error('an item is not a label');
  return label as LabelEvent;
};
