import { SmartZoneError } from '../../protocol/errors.js';

/** A model file that cannot become a package (MODEL_IMPORT): what is wrong, where, and every such place. */
export class ModelImportError extends SmartZoneError {
  /** @param problems one line each; the message holds all of them */
  constructor(
    readonly file: string,
    readonly problems: readonly string[],
  ) {
    super('MODEL_IMPORT', `${file}: ${problems.join('; ')}`);
  }
}
