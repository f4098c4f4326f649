/** Why one section cannot be converted; collected, so that one run names them all. */
export class SectionProblem extends Error {
  /**
   * @param ofShapes it may be only the consequence of another section's problem: shapes, and what is read
   */
  constructor(
    message: string,
    readonly ofShapes = false,
  ) {
    super(message);
  }
}

/** A problem that may only follow from an earlier one. */
export const shapeProblem = (message: string): SectionProblem => new SectionProblem(message, true);
