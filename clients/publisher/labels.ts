import { SmartZoneError } from '../../protocol/errors.js';
import type { Head } from './head.js';
import { elementCount } from './network.js';

/** The container's limit, in bytes of UTF-8: all labels of a model are padded to the longest name. */
export const MOST_LABEL_BYTES = 48;

const size = (text: string): number => new TextEncoder().encode(text).length;

/**
 * Names of classes from a text file, one per line. A name that is too long loses its last synonyms ("tench, Tinca tinca" ->
 * "tench"), and where that does not help its end.
 */
export const parseLabels = (text: string): string[] =>
  text
    .replace(/^\ufeff/, '')
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => shorten(line.trim()));

const shorten = (name: string): string => {
  let short = name;
  while (size(short) > MOST_LABEL_BYTES && short.includes(','))
    short = short.slice(0, short.lastIndexOf(',')).trimEnd();
  while (size(short) > MOST_LABEL_BYTES) short = [...short].slice(0, -1).join('');
  return short;
};

/** Throws MODEL_IMPORT where names are too long or are not one for each class. */
export const checkLabels = (labels: readonly string[], head: Head): void => {
  const long = labels.find((label) => size(label) > MOST_LABEL_BYTES);
  if (long !== undefined)
    throw new SmartZoneError('MODEL_IMPORT', `label name "${long}" is longer than ${MOST_LABEL_BYTES} bytes`);
  const classes = classesOf(head);
  if (labels.length > 0 && classes !== undefined && labels.length !== classes)
    throw new SmartZoneError('MODEL_IMPORT', `${labels.length} label names for ${classes} classes`);
};

const classesOf = (head: Head): number | undefined => {
  switch (head.kind) {
    case 'topK':
      return elementCount(head.scores);
    case 'detections':
      return (head.scores.dims.at(-1) ?? 0) - head.firstClass;
    case 'reconstruction':
    case 'vector':
      return undefined;
  }
};
