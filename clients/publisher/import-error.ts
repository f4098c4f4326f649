import { Code } from '../../protocol/codes.js';

/** A model file that cannot become a package: what is wrong, where, and (as far as they are known) every such place. */
export class ModelImportError extends Error {
  override readonly name = 'ModelImportError';
  readonly code = Code.MODEL_IMPORT;

  /** @param problems one line each; the message is all of them */
  constructor(
    readonly file: string,
    readonly problems: readonly string[],
  ) {
    super(`${file}: ${problems.join('; ')}`);
  }
}
