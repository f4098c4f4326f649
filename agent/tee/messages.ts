/**
 * What the daemon and its TEE client process say to each other (child_process IPC, structured clone: bytes travel as bytes).
 * One request is under way at a time.
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
  readonly input: Uint8Array;
  /** Value parameter a. */
  readonly value: number;
}

export type HostRequest = OpenRequest | InvokeRequest;

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

export type HostReply = { readonly kind: 'opened' } | InvokeReply | HostFailure;
