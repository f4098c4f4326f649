import { performActions, type RuleSurroundings } from './rule-action.js';
import type { RuleEdge } from './rule-engine.js';

/** Edges that wait or are under way; more are not taken. Bounds memory where a webhook hangs and a class flickers. */
const MOST = 256;

/**
 * Does the actions of edges: those of one rule in their order, those of different rules beside each other, so that one slow
 * command does not hold up a lamp.
 */
export class ActionRunner {
  readonly #last = new Map<string, Promise<void>>();
  #pending = 0;

  /** @param failed is told of each action that failed, and of edges that were not taken */
  constructor(
    private readonly surroundings: RuleSurroundings,
    private readonly failed: (error: Error, edge: RuleEdge) => void,
  ) {}

  /** Edges that wait or are under way. */
  get pending(): number {
    return this.#pending;
  }

  take(edge: RuleEdge): void {
    const { name } = edge.rule;
    if (this.#pending >= MOST) {
      this.failed(new Error(`${name}: not done, ${MOST} are waiting already`), edge);
      return;
    }
    this.#pending += 1;
    const before = this.#last.get(name);
    const done = (
      before === undefined ? this.#perform(edge) : before.then(() => this.#perform(edge))
    ).finally(() => {
      this.#pending -= 1;
      if (this.#last.get(name) === done) this.#last.delete(name);
    });
    this.#last.set(name, done);
  }

  /** Resolves when everything taken is done. */
  async settled(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }

  async #perform(edge: RuleEdge): Promise<void> {
    for (const error of await performActions(edge, this.surroundings)) this.failed(error, edge);
  }
}
