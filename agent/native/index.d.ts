/** Types of build/smart_zone_tee.node: one session with a TA through a TEE client library, chosen when it is opened. */

export interface TeeOptions {
  /** Path or soname of the library with TEEC_*: `libteec.so.2` (OP-TEE) or `…/libteec-soft.so`. */
  readonly library: string;
  /** The TA, as 8-4-4-4-12 hexadecimal digits. */
  readonly uuid: string;
  /** Bytes of the one shared memory, allocated when the session is opened and used by every invoke. */
  readonly bufferSize: number;
}

/** Parts of the shared buffer and values of one invoke. What is left out is 0. */
export interface InvokeParameters {
  readonly inOffset?: number;
  readonly inLength?: number;
  readonly outOffset?: number;
  /** Room for the output. */
  readonly outLength?: number;
  readonly a?: number;
  readonly b?: number;
}

export interface InvokeResult {
  /** TEEC_Result: 0 when the TA answered. The values below are defined only then. */
  readonly result: number;
  /** TEEC_ORIGIN_*: 1 client library, 2 transport, 3 TEE, 4 TA. */
  readonly origin: number;
  /** Bytes of output, or with result 0xffff0010 (short buffer) what is needed. */
  readonly outLength: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export interface TeeSession {
  /** The shared memory itself, not a copy: the TEE sees every change at once. Has length 0 after close(). */
  readonly buffer: Buffer;
  /** Runs on a worker thread. One at a time: a second one before the first has ended is rejected. */
  invoke(command: number, parameters?: InvokeParameters): Promise<InvokeResult>;
  /**
   * As invoke(), on the calling thread, which waits: for a process that has nothing else to do meanwhile. Saves waking two threads.
   * Throws where invoke() rejects.
   */
  invokeNow(command: number, parameters?: InvokeParameters): InvokeResult;
  /** Waits for nothing but the TEE: rejected while an invoke is under way. Closing again does nothing. */
  close(): Promise<void>;
}

/** An error of openTee; `code` and `origin` are absent when the library itself could not be loaded. */
export interface TeeError extends Error {
  /** TEEC_Result */
  readonly code?: number;
  readonly origin?: number;
}

/** Rejects with a TeeError. */
export function openTee(options: TeeOptions): Promise<TeeSession>;
