/** Why one part of the model cannot be converted; collected, so that one run names them all. */
export class OperatorProblem extends Error {}
