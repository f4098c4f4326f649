import { createRequire } from 'node:module';
import { join } from 'node:path';
import systemdNotify from 'systemd-notify';
import type { Log } from '../log.js';
import { packageRoot } from '../package-root.js';

/** What the service manager is told (sd_notify(3)). None of these throws: a daemon does not fail because nobody listens. */
export interface Notifier {
  ready(status: string): Promise<void>;
  status(text: string): Promise<void>;
  reloading(): void;
  stopping(): void;
  watchdog(): void;
}

/** Nobody listens. */
export const silentNotifier: Notifier = {
  ready: () => Promise.resolve(),
  status: () => Promise.resolve(),
  reloading: () => undefined,
  stopping: () => undefined,
  watchdog: () => undefined,
};

/** A line break in a status would start another field: measured, `STATUS=x\nMAINPID=1` is obeyed. */
const oneLine = (text: string): string =>
  // eslint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').slice(0, 512);

type SendDatagram = (path: string, message: string) => void;

/**
 * READY and STATUS go through the systemd-notify package, which runs the command of that name: its messages come from a child
 * process, so the unit needs NotifyAccess=all. Where the command is missing they go as datagrams, like everything that the
 * package does not know (watchdog, reloading, stopping).
 */
export class SystemdNotifier implements Notifier {
  readonly #socket: string;
  readonly #send: SendDatagram | undefined;
  readonly #log: Log;

  private constructor(socket: string, send: SendDatagram | undefined, log: Log) {
    this.#socket = socket;
    this.#send = send;
    this.#log = log;
  }

  /** silentNotifier unless NOTIFY_SOCKET is set. */
  static create(env: Readonly<Record<string, string | undefined>>, log: Log): Notifier {
    const socket = env['NOTIFY_SOCKET'];
    if (!socket) return silentNotifier;
    let send: SendDatagram | undefined;
    try {
      const addon = join(packageRoot(), 'build', 'smart_zone_notify.node');
      ({ send } = createRequire(import.meta.url)(addon) as { send: SendDatagram });
    } catch (error) {
      log.warn('no watchdog and reload notifications', {
        reason: (error as Error).message.split('\n', 1)[0],
      });
    }
    return new SystemdNotifier(socket, send, log);
  }

  async ready(status: string): Promise<void> {
    const text = oneLine(status);
    try {
      await systemdNotify({ ready: true, status: text });
    } catch {
      this.#datagram(`READY=1\nSTATUS=${text}\nMAINPID=${process.pid}`);
    }
  }

  async status(status: string): Promise<void> {
    const text = oneLine(status);
    try {
      await systemdNotify({ status: text });
    } catch {
      this.#datagram(`STATUS=${text}`);
    }
  }

  reloading(): void {
    // MONOTONIC_USEC is demanded by Type=notify-reload (systemd 253 and later), ignored by others.
    this.#datagram(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(): void {
    this.#datagram('STOPPING=1');
  }

  watchdog(): void {
    this.#datagram('WATCHDOG=1');
  }

  #datagram(message: string): void {
    try {
      this.#send?.(this.#socket, message);
    } catch (error) {
      this.#log.warn('the service manager cannot be notified', { reason: (error as Error).message });
    }
  }
}
