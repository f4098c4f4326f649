import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from '../../demo/agent-process.js';
import { generateKeys, publicOf, type PartyKeys } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { Owner } from '../../clients/owner/index.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { until } from './world.js';

export interface Fleet {
  readonly agents: readonly AgentProcess[];
  readonly prefixes: readonly string[];
  readonly ownerKeys: PartyKeys;
  readonly publisherKeys: PartyKeys;
  readonly publisherLink: () => Promise<BrokerLink>;
  readonly close: () => Promise<void>;
}

/** So many agents start at a time: each is three processes and some seconds of a core. */
const TOGETHER = 4;

/** Many devices of one owner at one broker: agents and software TEEs in processes of their own, claimed, one publisher enrolled. */
export const startFleet = async (count: number, brokerUrl: string, publisherUrl: string): Promise<Fleet> => {
  const folder = mkdtempSync(join(tmpdir(), 'sz-fleet-'));
  const agents: AgentProcess[] = [];
  const links: BrokerLink[] = [];
  const close = async (): Promise<void> => {
    for (const link of links) await link.close(500);
    await Promise.all(agents.map((agent) => agent.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  const link = async (clientId: string, url: string): Promise<BrokerLink> => {
    const made = await BrokerLink.connect({ url, clientId, sessionExpiry: 0 });
    links.push(made);
    return made;
  };
  try {
    const prefixes = Array.from({ length: count }, (_, i) => `smartzone/fleet-${i}`);
    for (let first = 0; first < count; first += TOGETHER) {
      const batch = prefixes.slice(first, first + TOGETHER).map((prefix, i) => {
        const place = join(folder, String(first + i));
        mkdirSync(place);
        const set = { 'telemetry.intervalMs': 0, 'device.name': `fleet-${first + i}` };
        return AgentProcess.start({ folder: place, brokerUrl, prefix, set });
      });
      agents.push(...batch);
      await Promise.all(batch.map((agent) => agent.logged('ready', { timeout: 120_000 })));
    }
    const ownerKeys = generateKeys('owner', 'fleet owner');
    const publisherKeys = generateKeys('publisher', 'fleet publisher');
    const owner = Owner.open({ keys: ownerKeys, bookPath: join(folder, 'owner.book.json') });
    const ownerLink = await link('fleet-owner', brokerUrl);
    for (const [i, prefix] of prefixes.entries())
      await owner.claim({ link: ownerLink, prefix, name: `pi ${i}`, accept: 0, timeout: 60_000 });
    const version = await owner.enrol(ownerLink, publicOf(publisherKeys));
    // Each claim was a new roster for all of them: they are still at it.
    const upToDate = new Set<string>();
    await ownerLink.subscribe('smartzone/+/hello', ({ topic, payload }) => {
      if (verifyHello(payload).rosterVersion === version) upToDate.add(topic);
    });
    await until(
      () => upToDate.size === count,
      () => `${upToDate.size} of ${count} devices have roster ${version}`,
      300_000,
    );
    const publisherLink = (): Promise<BrokerLink> => link('fleet-publisher', publisherUrl);
    return { agents, prefixes, ownerKeys, publisherKeys, publisherLink, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** Bytes that a broker has received and sent, by proc_pid_io(5) (rchar, wchar: its sockets and a small rest). */
export const bytesThrough = (pid: number): { readonly received: number; readonly sent: number } => {
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  const value = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)?.[1] ?? 0);
  return { received: value('rchar'), sent: value('wchar') };
};
