import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Counters } from './telemetry.js';

export interface HealthView {
  readonly ready: boolean;
  /** Why not, in a few words. */
  readonly reason: string;
  readonly gauges: Readonly<Record<string, number>>;
  readonly counters: Counters;
}

/** /livez, /readyz and /metrics on the loopback interface. Counts and durations only; nothing per label. */
export class HealthServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param port 0 = any */
  static async create(port: number, view: () => HealthView): Promise<HealthServer> {
    const server = createServer((request, response) => {
      const answer = (status: number, type: string, body: string): void => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
      };
      if (request.method !== 'GET') return answer(405, 'text/plain', 'only GET\n');
      switch (request.url ?? '') {
        case '/livez':
          return answer(200, 'text/plain', 'ok\n');
        case '/readyz': {
          const { ready, reason } = view();
          return answer(ready ? 200 : 503, 'text/plain', ready ? 'ok\n' : `${reason}\n`);
        }
        case '/metrics':
          return answer(
            200,
            'application/openmetrics-text; version=1.0.0; charset=utf-8',
            openMetrics(view()),
          );
        default:
          return answer(404, 'text/plain', 'there are /livez, /readyz and /metrics\n');
      }
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return new HealthServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const LOST = /^(.+)_(lost|refused)_(.+)$/;

/** OpenMetrics 1.0 text: counters end in _total, the exposition in "# EOF". */
const openMetrics = ({ gauges, counters }: HealthView): string => {
  const lines: string[] = [];
  for (const [name, value] of Object.entries(gauges))
    lines.push(`# TYPE smart_zone_${name} gauge`, `smart_zone_${name} ${value}`);
  const families = new Map<string, string[]>();
  for (const [name, value] of [...counters.counts].sort()) {
    const [, what, how, code] = LOST.exec(name) ?? [];
    const family = code === undefined ? `smart_zone_${name}` : `smart_zone_${what}_${how}_by_code`;
    const label = code === undefined ? '' : `{code="${code}"}`;
    families.set(family, [...(families.get(family) ?? []), `${family}_total${label} ${value}`]);
  }
  for (const [family, samples] of families) lines.push(`# TYPE ${family} counter`, ...samples);
  lines.push('# TYPE smart_zone_stage_seconds summary');
  for (const [stage, { totalMs, count }] of counters.stages)
    lines.push(
      `smart_zone_stage_seconds_sum{stage="${stage}"} ${totalMs / 1000}`,
      `smart_zone_stage_seconds_count{stage="${stage}"} ${count}`,
    );
  return `${lines.join('\n')}\n# EOF\n`;
};
