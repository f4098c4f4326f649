declare module 'systemd-notify' {
  interface Options {
    readonly ready?: boolean;
    readonly status?: string;
    readonly pid?: number;
  }
  /** Runs the systemd-notify command. Rejects with its output, or with an Error if it cannot be run. */
  export default function notify(options?: Options): Promise<unknown>;
}
