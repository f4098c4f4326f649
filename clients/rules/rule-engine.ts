import { EventEmitter } from 'node:events';
import type { LabelEvent } from './label-event.js';
import { matchRule, type RuleMatch } from './rule-match.js';
import type { Rule, RuleAction } from './rule-file.js';
import { systemClock, type RuleTimers } from './timers.js';

/** A rule went on or off. `match` is what turned it on; off has the last one. */
export interface RuleEdge {
  readonly rule: Rule;
  readonly state: 'on' | 'off';
  readonly match: RuleMatch;
  readonly actions: readonly RuleAction[];
}

export interface RuleEngineEvents {
  edge: [RuleEdge];
}

interface RuleState {
  match: RuleMatch;
  timer: unknown;
}

/**
 * Turns labels into edges: on with the first match, off when none came for the rule's hold time. Starts with every rule off and
 * says nothing about it: after a restart a lamp stays as it is until something is seen.
 */
export class RuleEngine extends EventEmitter<RuleEngineEvents> {
  private readonly states = new Map<Rule, RuleState>();

  constructor(
    private readonly rules: readonly Rule[],
    private readonly timers: RuleTimers = systemClock,
  ) {
    super();
  }

  apply(label: LabelEvent): void {
    for (const rule of this.rules) {
      const match = matchRule(rule.when, label);
      if (match === undefined) continue;
      const state = this.states.get(rule);
      if (state !== undefined) this.timers.clear(state.timer);
      this.states.set(rule, { match, timer: this.timers.set(() => this.expire(rule), rule.hold * 1000) });
      if (state === undefined) this.emit('edge', { rule, state: 'on', match, actions: rule.on });
    }
  }

  /** Names of the rules that are on. */
  get active(): string[] {
    return [...this.states.keys()].map(({ name }) => name);
  }

  /** Turns everything off that is on: before the program ends, because nobody would do it later. */
  close(): void {
    for (const rule of [...this.states.keys()]) this.expire(rule);
  }

  private expire(rule: Rule): void {
    const state = this.states.get(rule);
    if (state === undefined) return;
    this.timers.clear(state.timer);
    this.states.delete(rule);
    this.emit('edge', { rule, state: 'off', match: state.match, actions: rule.off });
  }
}
