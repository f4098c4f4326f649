import { EventEmitter } from 'node:events';
import type { LabelEvent } from './label-event.js';
import { matchRule, type RuleMatch } from './rule-match.js';
import type { Rule, RuleAction } from './rule-model.js';
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
  /** Sensor time of the first match. */
  readonly since: number;
  on: boolean;
  match: RuleMatch;
  timer: unknown;
}

/**
 * Turns labels into edges: on with the first match (that has lasted, where the rule says for how long), off when none came for
 * the rule's hold time. Starts with every rule off and says nothing about it: after a restart a lamp stays as it is until
 * something is seen.
 */
export class RuleEngine extends EventEmitter<RuleEngineEvents> {
  private readonly states = new Map<Rule, RuleState>();
  /** Timers of the rules that went off a moment ago. */
  private readonly cooling = new Map<Rule, unknown>();

  constructor(
    private rules: readonly Rule[],
    private readonly timers: RuleTimers = systemClock,
  ) {
    super();
  }

  apply(label: LabelEvent): void {
    for (const rule of this.rules) this.applyTo(rule, label);
  }

  /** Names of the rules that are on. */
  get active(): string[] {
    return [...this.states].filter(([, { on }]) => on).map(([{ name }]) => name);
  }

  /** Takes other rules. One that is the same as before keeps its state; one that is gone, or another now, is turned off as it was. */
  replace(rules: readonly Rule[]): void {
    const before = new Map(this.rules.map((rule) => [JSON.stringify(rule), rule]));
    this.rules = rules.map((rule) => before.get(JSON.stringify(rule)) ?? rule);
    for (const rule of [...this.states.keys()]) if (!this.rules.includes(rule)) this.expire(rule);
    for (const rule of [...this.cooling.keys()]) if (!this.rules.includes(rule)) this.warm(rule);
  }

  /** Turns everything off that is on: before the program ends, because nobody would do it later. */
  close(): void {
    for (const rule of [...this.states.keys()]) this.expire(rule);
    for (const rule of [...this.cooling.keys()]) this.warm(rule);
  }

  private applyTo(rule: Rule, label: LabelEvent): void {
    if (this.cooling.has(rule)) return;
    const before = this.states.get(rule);
    const match = matchRule(rule.when, label, before?.on);
    if (match === undefined) return;
    if (before !== undefined) this.timers.clear(before.timer);
    const state: RuleState = before ?? { since: label.sensorTime, on: false, match, timer: undefined };
    state.match = match;
    state.timer = this.timers.set(() => this.expire(rule), rule.hold * 1000);
    this.states.set(rule, state);
    if (state.on || label.sensorTime - state.since < (rule.for ?? 0) * 1000) return;
    state.on = true;
    this.emit('edge', { rule, state: 'on', match, actions: rule.on });
  }

  private expire(rule: Rule): void {
    const state = this.states.get(rule);
    if (state === undefined) return;
    this.timers.clear(state.timer);
    this.states.delete(rule);
    if (!state.on) return;
    if (rule.cooldown !== undefined && rule.cooldown > 0)
      this.cooling.set(
        rule,
        this.timers.set(() => this.warm(rule), rule.cooldown * 1000),
      );
    this.emit('edge', { rule, state: 'off', match: state.match, actions: rule.off });
  }

  private warm(rule: Rule): void {
    this.timers.clear(this.cooling.get(rule));
    this.cooling.delete(rule);
  }
}
