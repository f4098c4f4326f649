/**
 * Deliberate faults in the TA, each a copy of one source with one thing changed: a model that finds none of them would prove
 * nothing. A fault whose text is no longer in its source is an error: write it anew.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Fault {
  readonly what: string;
  /** Below ta/. */
  readonly file: string;
  readonly right: string;
  readonly wrong: string;
}

export const FAULTS: readonly Fault[] = [
  {
    what: 'a roster of the version that was forgotten by a reset is taken again',
    file: 'trust/roster.c',
    right: 'incoming.version <= sz_state()->roster_floor',
    wrong: 'incoming.version < sz_state()->roster_floor',
  },
  {
    what: 'later owners must sign higher versions than those whom they replace',
    file: 'trust/roster.c',
    right: 'owners.generation > sz_state()->owners.generation;',
    wrong: 'false;',
  },
  {
    what: 'a roster of before a succession counts, by a key that stayed',
    file: 'trust/roster.c',
    right: 'code == SZ_OK && generation < owners.generation',
    wrong: 'code == SZ_OK && false',
  },
  {
    what: 'the roster that a sender has seen is looked at without its owners',
    file: 'trust/member_message.c',
    right: 'sz_roster_older(sz_roster_in_force(), roster)',
    wrong: 'roster.version > sz_roster_version()',
  },
  {
    what: 'a roster that does not list the device is taken',
    file: 'trust/roster.c',
    right: 'if (!incoming.lists_us && !incoming.lists_next) {',
    wrong: 'if (false) {',
  },
  {
    what: 'any role may do anything',
    file: 'trust/roster.c',
    right: 'found->role != role',
    wrong: 'false',
  },
  {
    what: 'the lease never ends',
    file: 'trust/roster.c',
    right: 'current.lease_ms != 0 &&',
    wrong: 'false &&',
  },
  {
    what: 'members do not expire',
    file: 'trust/roster.c',
    right: 'found->not_after < sz_calendar_floor()',
    wrong: 'false',
  },
  {
    what: "a sensor's offer sets the calendar to any time",
    file: 'trust/calendar.c',
    right: 'seconds <= base + DAY && ',
    wrong: '',
  },
  {
    what: 'an owner counter is good twice',
    file: 'trust/on_owner.c',
    right: 's->counter <= state->owner_counter',
    wrong: 's->counter < state->owner_counter',
  },
  {
    what: "another device's statement is taken",
    file: 'trust/on_owner.c',
    right: 'memcmp(s->device, state->signing.kid, SZ_KID_SIZE) != 0',
    wrong: 'false',
  },
  {
    what: "a revoked sensor's channel stays open",
    file: 'trust/on_owner.c',
    right: 'sz_channel_close_unauthorised();',
    wrong: '',
  },
  {
    what: 'a load under way outlives the roster of its publisher',
    file: 'trust/on_owner.c',
    right: 'sz_model_load_abort();',
    wrong: '',
  },
  {
    what: 'a revoked rules host keeps the epoch',
    file: 'trust/on_owner.c',
    right: 'sz_epoch_next(); /* a revoked rules host cannot open the next label */',
    wrong: '',
  },
  {
    what: 'a reset leaves the offers that were seen',
    file: 'trust/on_owner.c',
    right: 'sz_seen_clear();',
    wrong: '',
  },
  {
    what: 'a reset keeps the boot nonce',
    file: 'trust/on_owner.c',
    right: 'sz_boot_begin(boot);',
    wrong: '(void)boot;',
  },
  {
    what: 'a statement that took effect does so again',
    file: 'trust/on_owner.c',
    right: 'if (!in_effect(&s)) {',
    wrong: 'if (true) {',
  },
  {
    what: 'a succession of owner keys is not verified',
    file: 'trust/owners.c',
    right: 'code = sz_signed_verify(&sign1, signer, "owners");',
    wrong: 'code = SZ_OK;',
  },
  {
    what: 'another set of owner keys of a known generation is passed over',
    file: 'trust/owners.c',
    right: 'same_keys(&next, owners) ? SZ_OK : SZ_OWNERS_CONFLICT',
    wrong: 'same_keys(&next, owners) ? SZ_OK : SZ_OK',
  },
  {
    what: 'an owner who has named successors signs on',
    file: 'trust/roster.c',
    right: 'code = SZ_NOT_OWNER; /* names successors, and is not of them */',
    wrong: '',
  },
  {
    what: 'former device keys open models for ever',
    file: 'trust/roster.c',
    right: 'if (incoming.lists_next ? !incoming.lists_us : !incoming.lists_former) {',
    wrong: 'if (false) {',
  },
  {
    what: 'a rebase may lower the floor',
    file: 'trust/on_owner.c',
    right: 'if (s->floor <= next->model_floor) {',
    wrong: 'if (s->floor == next->model_floor) {',
  },
  {
    what: 'an offer with an equal counter is taken',
    file: 'trust/members_seen.c',
    right: 'counter > seen[i].counter',
    wrong: 'counter >= seen[i].counter',
  },
  {
    what: 'a retained offer that comes again is a stale one',
    file: 'trust/members_seen.c',
    right: 'return i < count && memcmp(seen[i].digest, digest, SZ_SHA256_SIZE) == 0;',
    wrong: 'return i > count && digest == NULL;',
  },
  {
    what: 'who has seen a newer model is not believed',
    file: 'trust/member_message.c',
    right: ' || model > sz_state()->model_floor',
    wrong: ' || model == UINT64_MAX',
  },
  {
    what: 'a frame number is good twice',
    file: 'trust/on_frame.c',
    right: '!sz_channel_takes(channel, header->number)',
    wrong: '!sz_channel_takes(channel, header->number + 1)',
  },
  {
    what: 'a receipt names frames that never came',
    file: 'trust/number_window.c',
    right: 'window->taken[0] <<= count;',
    wrong: 'window->taken[0] = window->taken[0] << count | ((UINT64_C(1) << count) - 1);',
  },
  {
    what: 'a receipt forgets what is 64 numbers back',
    file: 'trust/number_window.c',
    right: ' | window->taken[0] >> (64 - count)',
    wrong: '',
  },
  {
    what: 'a channel outlives the first frame of its successor',
    file: 'trust/channel.c',
    right: 'if (channel->numbers.last == 0) {',
    wrong: 'if (channel->numbers.last == UINT64_MAX) {',
  },
  {
    what: 'an authentic frame of another form does not use up its number',
    file: 'trust/answer.c',
    right: 'step == SZ_BAD_FRAME || ',
    wrong: '',
  },
  {
    what: 'the number of the model in force can be installed again',
    file: 'trust/on_model.c',
    right: 'return sequence > floor && ',
    wrong: 'return sequence >= floor && ',
  },
  {
    what: 'an offer for another package opens this one',
    file: 'trust/on_model.c',
    right: 'if (memcmp(offer.digest, manifest->digest, SZ_SHA256_SIZE) != 0) {',
    wrong: 'if (false) {',
  },
  {
    what: "a session goes on with another one's load",
    file: 'trust/on_model.c',
    right: 'return sz_model_loading() && job_session != session;',
    wrong: 'return sz_model_loading() && session == 0;',
  },
  {
    what: 'starts of a model on trial are not counted',
    file: 'trust/trial.c',
    right: 'next.trial_attempts++;',
    wrong: '',
  },
  {
    what: 'going back lowers the floor',
    file: 'trust/trial.c',
    right: 'sz_wipe(&next->previous, sizeof next->previous);',
    wrong: 'sz_wipe(&next->previous, sizeof next->previous); next->model_floor = next->model.sequence;',
  },
  {
    what: 'a zone that does not list the device is open to it',
    file: 'trust/roster.c',
    right: 'sz_zone_lists(&zone, state->signing.kid) ||',
    wrong: 'zone.device_count > 0 ||',
  },
  {
    what: 'a zone offer of before a device left is taken',
    file: 'trust/on_offer.c',
    right: 'sz_roster_older(offer->roster, audience->zone->since)',
    wrong: 'offer->roster.version == UINT64_MAX',
  },
  {
    what: "a zone's channels outlive a device that leaves",
    file: 'trust/channel.c',
    right: '(terms->zone && !in_force(terms))',
    wrong: '(terms->zone && UINT64_MAX == 0 && !in_force(terms))',
  },
  {
    what: 'a zone begins anew with every roster',
    file: 'trust/zones.c',
    right: 'old != NULL && keeps_all(old, zone) ? old->since : roster',
    wrong: 'old != NULL && keeps_all(old, zone) && old->since.version == 0 ? old->since : roster',
  },
  {
    what: "a device's own channel takes numbers out of order",
    file: 'trust/channel.c',
    right: 'number, channel->terms.zone)',
    wrong: 'number, true)',
  },
  {
    what: 'a number that comes late is good twice in a zone',
    file: 'trust/number_window.c',
    right: '(window->taken[below / 64] >> (below % 64) & 1) == 0',
    wrong: 'below > 0',
  },
  {
    what: 'labels name another zone',
    file: 'trust/label.c',
    right: 'sz_cbor_put_bstr(&w, channel->terms.audience, SZ_KID_SIZE);',
    wrong: 'sz_cbor_put_bstr(&w, channel->terms.sensor, SZ_KID_SIZE);',
  },
  {
    what: "another session's frame displaces one that waits for segments",
    file: 'trust/on_frame.c',
    right: 'if (sz_answer_busy(call->session)) {',
    wrong: 'if (sz_answer_busy(call->session) && call->session == 0) {',
  },
  {
    what: 'a frame that waits for segments has used up its number',
    file: 'trust/answer.c',
    right: 'if (step == SZ_SEGMENTS_WANTED) {\n        return',
    wrong:
      'if (step == SZ_SEGMENTS_WANTED) {\n        sz_channel_take(channel, answer.facts.number);\n        return',
  },
  {
    what: 'a wrong segment leaves the frame waiting',
    file: 'trust/answer.c',
    right: 'if (code != SZ_SEGMENTS_WANTED) {',
    wrong: 'if (code != SZ_SEGMENTS_WANTED && code != SZ_MODEL_DIGEST) {',
  },
  {
    what: 'a streamed frame is answered although the lease has ended meanwhile',
    file: 'trust/answer.c',
    right: 'return sz_roster_authorise((*channel)->terms.sensor, SZ_ROLE_SENSOR, &member);',
    wrong: '(void)member; return SZ_OK;',
  },
  {
    what: 'bytes behind the last segment are overlooked',
    file: 'models/running.c',
    right: 'return code == SZ_OK && at < length ? SZ_TRAILING_BYTES : code;',
    wrong: 'return code;',
  },
  {
    what: 'segments come in any order',
    file: 'models/running.c',
    right: ' || index != sz_stream_wanted(&running) + 1) {',
    wrong: ' || index == 0) {',
  },
  {
    what: 'what could not be stored counts all the same',
    file: 'trust/state.c',
    right: 'if (code == SZ_OK) {\n        adopt(next);',
    wrong: 'code = SZ_OK;\n    if (code == SZ_OK) {\n        adopt(next);',
  },
];

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The source with the fault. Throws where it does not fit just once. */
export const faultySource = ({ what, file, right, wrong }: Fault): string => {
  const source = readFileSync(join(root, 'ta', file), 'utf8');
  const parts = source.split(right);
  if (parts.length !== 2) throw new Error(`"${what}" is not in ${file} just once any more: ${right}`);
  return parts.join(wrong);
};

/** Builds the TA host with this fault. @returns the program */
export const buildFaulty = (fault: Fault, folder: string): string => {
  const { what, file } = fault;
  const copy = join(folder, basename(file));
  const program = join(folder, 'ta_host');
  writeFileSync(copy, faultySource(fault));
  const { status, stderr } = spawnSync(
    'make',
    [
      ...['-s', '-C', 'ta/test', `FAULTY=${file}`, `FAULTY_COPY=${copy}`, `FAULTY_HOST=${program}`],
      'FAULTY_STREAMS=1',
      program,
    ],
    { cwd: root },
  );
  if (status !== 0) throw new Error(`"${what}" does not build: ${stderr.toString()}`);
  return program;
};
