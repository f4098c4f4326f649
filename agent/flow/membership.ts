import type { Topics } from '../../protocol/topics.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { parseProfiledSign1 } from '../../protocol/cose/sign1.js';
import { readRoster, type Roster } from '../../protocol/messages/roster.js';
import type { BrokerLink } from '../broker/link.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { Hello } from './hello.js';
import type { LabelOffers } from './label-offers.js';
import type { RosterFile } from './roster-file.js';
import type { SensorOffers } from './sensor-offers.js';

/** What the owner says: statements (claim, reset) and the roster, and what follows from them. */
export class Membership {
  #roster: Buffer | undefined;
  #inForce = false;

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly topics: Topics,
    private readonly hello: Hello,
    private readonly sensorOffers: SensorOffers,
    private readonly labelOffers: LabelOffers,
    private readonly file: RosterFile,
    private readonly log: Log,
  ) {}

  /** The roster that the TA took, unverified here: the TA has verified it. */
  get roster(): Roster | undefined {
    if (!this.#roster || !this.#inForce) return undefined;
    const { payload } = parseProfiledSign1(this.#roster);
    return payload === null ? undefined : readRoster(payload);
  }

  async receiveStatement(statement: Buffer): Promise<void> {
    try {
      const { reply, status } = await this.tee.owner(statement);
      this.log.info('answered an owner statement', { status });
      // The hello first: who reads the reply may look at it at once.
      if (status === 0) {
        this.#inForce = false;
        await this.hello.refresh();
      }
      // Not awaited: without a broker it would hold up everything else.
      this.link.publish(this.topics.ownerReply, Buffer.from(reply)).catch((error: unknown) => {
        this.log.warn('an owner reply was not published', { reason: (error as Error).message });
      });
    } catch (error) {
      rethrowIfLost(error);
      this.log.warn('refused an owner statement', { code: codeOf(error) });
    }
    await this.giveRoster();
  }

  async receiveRoster(roster: Buffer): Promise<void> {
    if (roster.length === 0 || (this.#inForce && this.#roster?.equals(roster))) return;
    const before = this.#roster;
    const wasInForce = this.#inForce;
    this.#roster = roster;
    this.#inForce = false;
    if (!(await this.giveRoster()) && wasInForce) {
      // An old or forged roster does not displace the one that the TA took.
      this.#roster = before;
      this.#inForce = true;
    }
  }

  /** The TA has restarted: it has what it stored, and may lack what came last. */
  async replay(): Promise<void> {
    this.#inForce = false;
    this.#roster ??= await this.#remembered();
    await this.giveRoster();
  }

  /** Gives the newest roster to the TA unless it has it. Returns whether it is in force. */
  async giveRoster(): Promise<boolean> {
    if (!this.#roster || this.#inForce) return this.#inForce;
    try {
      await this.tee.roster(this.#roster);
    } catch (error) {
      rethrowIfLost(error);
      this.log.warn('refused a roster', { code: codeOf(error) });
      return false;
    }
    this.#inForce = true;
    this.log.info('a roster is in force', { bytes: this.#roster.length });
    await this.#remember(this.#roster);
    await this.hello.refresh();
    await this.sensorOffers.retryRefused();
    await this.labelOffers.retryRefused();
    await this.labelOffers.ensure((await this.tee.ping()).epoch);
    return true;
  }

  async #remembered(): Promise<Buffer | undefined> {
    try {
      return await this.file.read();
    } catch (error) {
      this.log.warn('the roster of before cannot be read', { reason: (error as Error).message });
      return undefined;
    }
  }

  /** Without it the next start waits for the broker's. */
  async #remember(roster: Buffer): Promise<void> {
    try {
      await this.file.write(roster);
    } catch (error) {
      this.log.warn('the roster was not kept', { reason: (error as Error).message });
    }
  }
}

const rethrowIfLost = (error: unknown): void => {
  if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE')) throw error;
};

const codeOf = (error: unknown): string => (isSmartZoneError(error) ? error.code : 'internal');
