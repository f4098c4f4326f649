/** Rules hosts: open a device's labels, and act on them. */
export { RulesClient } from './rules-client.js';
export type { LabelGap, RulesEvents, RulesOptions, RulesStats, TelemetryEvent } from './rules-options.js';
export {
  connectRules,
  deviceSeenPath,
  type ConnectRulesOptions,
  type DeviceChoice,
} from './connect-rules.js';
export { Rules } from './rules.js';
export { EventTracker, type TrackerOptions } from './event-tracker.js';
export {
  detectionsOf,
  type Box,
  type DetectionEvent,
  type DeviceEvent,
  type GapEvent,
  type ModelEvent,
  type RulesEvent,
  type RulesEventOf,
  type RulesEventType,
  type SeenEvent,
} from './rules-event.js';
export { ReplayTimers, systemClock, type RuleClock, type RuleTimers } from './timers.js';
export type { LabelEvent, NamedParty } from './label-event.js';
export type { LabelStream } from './label-stream.js';
export { RuleEngine, type RuleEdge, type RuleEngineEvents } from './rule-engine.js';
export { parseRules, parseRuleText, readRuleFile } from './rule-file.js';
export type {
  HomeAssistantAction,
  Hours,
  PublishAction,
  Rule,
  RuleAction,
  RuleCondition,
  TemplateTree,
  WebhookAction,
  Zone,
} from './rule-model.js';
export { renderAction, type RenderedAction, type RenderedRequest } from './rule-render.js';
export { watchRuleFile, type RuleFileListener } from './rule-reload.js';
export { LabelRecorder, readRecording } from './recording.js';
export { ActionRunner } from './action-runner.js';
export { performActions, type RuleSurroundings } from './rule-action.js';
export { matchRule, type RuleMatch } from './rule-match.js';
export * from './bridge/index.js';
export type { ClassScore, Detection, Results } from '../../protocol/messages/results.js';
export type { TrustedDevice } from '../trust/index.js';
export { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
export * from '../keys/index.js';
export * from '../link/index.js';
export { History, type HistoryOptions } from './history/history.js';
export { CSV_HEADER, readHistory, toCsv, type HistoryQuery, type HistoryRow } from './history/query.js';
