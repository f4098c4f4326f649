/**
 * What the daemon and its TEE client process say to each other (child_process IPC, structured clone: bytes travel as bytes).
 * Requests are answered in their order, one after the other.
 */
export interface OpenRequest {
  readonly kind: 'open';
  readonly addon: string;
  readonly library: string;
  readonly uuid: string;
  readonly bufferSize: number;
}

export interface InvokeRequest {
  readonly kind: 'invoke';
  readonly command: number;
  /** The request, or how many bytes of it lie in the request file. */
  readonly input: Uint8Array | number;
  /** Value parameter a. */
  readonly value: number;
  /** Where a long request begins in the request file. */
  readonly at?: number;
  /** Of FRAME: the daemon's number of it. */
  readonly frame?: number;
  /** Only if the last frame was this one and got its label; otherwise the answer is `skipped`, and the TA has not seen it. */
  readonly follows?: number;
}

/** The descriptor of the request file in the TEE client process. */
export const REQUEST_DESCRIPTOR = 4;

/** Where a segment's ciphertext is in its package file. */
export interface SegmentPlace {
  readonly at: number;
  readonly length: number;
}

/** The package whose segments are given to the TA from now on: to load them, and for every frame where they do not fit. */
export interface ModelRequest {
  readonly kind: 'model';
  readonly file: string;
  readonly places: readonly SegmentPlace[];
  /** The TA has this model already, from an earlier session. */
  readonly active: boolean;
}

/** MODEL_SEGMENT with this segment of that package. */
export interface SegmentRequest {
  readonly kind: 'segment';
  readonly index: number;
}

export type HostRequest = OpenRequest | InvokeRequest | ModelRequest | SegmentRequest;

export interface InvokeReply {
  readonly kind: 'reply';
  /** The TA's own status: 0 or an error code of protocol/codes.json. */
  readonly status: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly output: Uint8Array;
}

export interface HostFailure {
  readonly kind: 'failure';
  readonly message: string;
  /** A TEEC_ERROR_* value, when the TEE client library gave one. */
  readonly teec?: number | undefined;
}

/** Not an answer yet: the TEE has answered one of several calls that the request takes. */
export interface HostProgress {
  readonly kind: 'progress';
}

export type HostReply = { readonly kind: 'opened' | 'ready' | 'skipped' } | InvokeReply | HostFailure;
