import { toHex } from '../../protocol/bytes.js';
import { PackageTopics } from '../../protocol/topics.js';
import type { IncomingPackage } from './incoming-package.js';
import type { PushStatus } from './model-report.js';
import { sha256 } from './package-layout.js';
import type { BelievedAnnouncement } from './push-trust.js';

/** A push that a publisher of the roster has offered. */
export class PushJob {
  readonly digest: string;
  readonly topics: PackageTopics;
  /** Known from the announcement on. */
  announcement: BelievedAnnouncement | undefined;
  /** What the announcement was read from. */
  message: Buffer | undefined;
  /** What is there of the package; undefined while nothing is fetched. */
  incoming: IncomingPackage | undefined;
  /** Why nothing goes on for the moment. */
  trouble: { readonly code: string; readonly reason: string } | undefined;

  /** @param offer the newest one of this package */
  constructor(
    public offer: Buffer,
    manifestDigest: Uint8Array,
  ) {
    this.digest = toHex(manifestDigest);
    this.topics = new PackageTopics(manifestDigest);
  }

  get sequence(): number | undefined {
    return this.announcement?.manifest.sequence;
  }

  /** How it stands while it goes on. */
  get progress(): PushStatus {
    const waits = this.trouble !== undefined || this.incoming === undefined;
    return { ...this.status(waits ? 'waiting' : 'fetching'), ...this.trouble };
  }

  status(state: PushStatus['state']): PushStatus {
    const { digest, sequence, incoming } = this;
    return {
      digest,
      offer: offerName(this.offer),
      state,
      ...(sequence !== undefined && { sequence }),
      ...(incoming && { have: incoming.total - incoming.missing.length, total: incoming.total }),
    };
  }
}

/** First 8 bytes of the offer's SHA-256: tells attempts apart. */
export const offerName = (offer: Uint8Array): string => sha256(offer).toString('hex', 0, 8);
