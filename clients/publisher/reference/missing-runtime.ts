/** A reference runtime that is not installed. It is no dependency: only who compares models needs it. */
export class MissingRuntimeError extends Error {
  /** What to do about it. */
  readonly fix: string;

  constructor(
    readonly runtime: string,
    packages: string,
    options?: ErrorOptions,
  ) {
    super(`${runtime} is not installed`, options);
    this.name = 'MissingRuntimeError';
    this.fix = `npm install ${packages}`;
  }
}
