import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type PeerCertificate, type TLSSocket } from 'node:tls';
import { fail, ok, warn, type Finding } from './finding.js';

export interface BrokerAddress {
  readonly url: string;
  /** PEM files, as the command line names them. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };
const DAY_MS = 86_400_000;
/** A certificate that ends within so many days is worth a word. */
const SOON = 21;

/** What there is to say before MQTT is spoken: whether something listens there, and whom its certificate is for. */
export async function checkBrokerAddress(address: BrokerAddress, timeoutMs: number): Promise<Finding[]> {
  if (!URL.canParse(address.url) || PORTS[new URL(address.url).protocol] === undefined)
    return [
      fail(
        'broker',
        'its address is no URL of a broker',
        'give --broker mqtts://host[:port] or mqtt://host[:port]',
      ),
    ];
  const url = new URL(address.url);
  const secure = url.protocol === 'mqtts:' || url.protocol === 'wss:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(url.port) || (PORTS[url.protocol] ?? 0);
  if (!secure) return checkTcp(host, port, timeoutMs);
  try {
    const files = {
      ...(address.ca === undefined ? {} : { ca: readFileSync(address.ca) }),
      ...(address.cert === undefined ? {} : { cert: readFileSync(address.cert) }),
      ...(address.key === undefined ? {} : { key: readFileSync(address.key) }),
    };
    const own = files.cert === undefined ? [] : checkClientCertificate(files.cert, files.key);
    if (own.some(({ verdict }) => verdict === 'fail')) return own;
    return [...own, ...(await checkServer(host, port, files, timeoutMs))];
  } catch (error) {
    const { path, message } = error as NodeJS.ErrnoException;
    if (path === undefined) throw error;
    return [fail('TLS files', message, `check ${path}`)];
  }
}

async function checkTcp(host: string, port: number, timeoutMs: number): Promise<Finding[]> {
  const socket = connectTcp({ host, port });
  const problem = await opened(socket, 'connect', timeoutMs);
  socket.destroy();
  return problem === undefined ? [] : [unreachable(host, port, problem)];
}

/** @returns the error, or undefined once the socket is open */
const opened = (
  socket: Socket,
  event: string,
  timeoutMs: number,
): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    socket.setTimeout(timeoutMs, () => resolve(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    socket.once(event, () => resolve(undefined));
    socket.on('error', resolve);
  });

const REASONS: Readonly<Record<string, readonly [string, string]>> = {
  ECONNREFUSED: ['nothing listens there', 'start the broker, or give its port: --broker mqtts://host:port'],
  ENOTFOUND: ['no such host', 'check the name in --broker, and this machine’s name service'],
  EAI_AGAIN: ['the name service does not answer', 'check this machine’s network and name service'],
  ETIMEDOUT: ['no answer', 'check that the broker runs, and that no firewall is between'],
  EHOSTUNREACH: ['no way there', 'check this machine’s network'],
  ENETUNREACH: ['no way there', 'check this machine’s network'],
};

function unreachable(host: string, port: number, error: NodeJS.ErrnoException): Finding {
  const [reason, fix] = REASONS[error.code ?? ''] ?? [error.message, 'check --broker'];
  return fail('broker', `${host} port ${port}: ${reason}`, fix);
}

interface Files {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Connects without insisting on the certificate, so as to say everything that is wrong with it. Nothing is sent. */
async function checkServer(host: string, port: number, files: Files, timeoutMs: number): Promise<Finding[]> {
  const socket = connectTls({
    host,
    port,
    ...files,
    rejectUnauthorized: false,
    ...(isIP(host) ? {} : { servername: host }),
  });
  try {
    const problem = await opened(socket, 'secureConnect', timeoutMs);
    if (problem?.code === 'EPROTO' || problem?.code?.startsWith('ERR_SSL') === true)
      return [
        fail(
          'TLS',
          `${host} port ${port} does not speak TLS that can be used here (${problem.code})`,
          'is it the port for mqtt:// without TLS? the broker needs TLS 1.2 or later',
        ),
      ];
    return problem === undefined ? judge(host, socket) : [unreachable(host, port, problem)];
  } finally {
    socket.destroy();
  }
}

function judge(host: string, socket: TLSSocket): Finding[] {
  const check = 'TLS';
  const certificate = socket.getPeerCertificate();
  const dates = datesOf(check, 'the broker’s certificate', certificate.valid_from, certificate.valid_to);
  const problems = [
    ...(dates.verdict === 'fail' ? [dates] : []),
    ...nameProblem(check, host, certificate),
    ...authorityProblem(check, socket),
  ];
  if (problems.length > 0) return problems;
  return [dates, ok(check, `${socket.getProtocol() ?? 'TLS'}, a certificate for ${host}`)];
}

const dateOf = (text: string): string => new Date(text).toISOString().slice(0, 10);

function datesOf(check: string, what: string, from: string, to: string): Finding {
  const now = Date.now();
  if (now < Date.parse(from))
    return fail(
      check,
      `${what} is valid from ${dateOf(from)} on`,
      'check the clock of this machine, or wait',
    );
  const days = Math.floor((Date.parse(to) - now) / DAY_MS);
  if (now > Date.parse(to)) return fail(check, `${what} ended on ${dateOf(to)}`, 'renew it');
  return days < SOON
    ? warn(check, `${what} ends on ${dateOf(to)}, in ${days} days`, 'renew it')
    : ok(check, `${what} is valid until ${dateOf(to)}`);
}

function nameProblem(check: string, host: string, certificate: PeerCertificate): Finding[] {
  const error = checkServerIdentity(host, certificate);
  if (error === undefined) return [];
  const names = certificate.subjectaltname ?? 'no name at all';
  return [
    fail(
      check,
      `the broker’s certificate is not for ${host} but for ${names}`,
      'name the broker so in --broker, or give it a certificate for this name',
    ),
  ];
}

/** Node gives one reason; dates and names are looked at by themselves. */
function authorityProblem(check: string, socket: TLSSocket): Finding[] {
  const code = String(socket.authorizationError ?? '');
  if (socket.authorized || /EXPIRED|NOT_YET_VALID|ALTNAME/.test(code)) return [];
  return [
    fail(
      check,
      `no authority that is trusted here vouches for the broker’s certificate (${code})`,
      'give the PEM file of the authority that issued it: --ca FILE',
    ),
  ];
}

function checkClientCertificate(pem: Buffer, key: Buffer | undefined): Finding[] {
  const check = 'client certificate';
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return [fail(check, 'it cannot be read', '--cert takes a PEM file')];
  }
  if (key === undefined) return [fail(check, 'its key is missing', 'give --tls-key FILE')];
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      return [fail(check, 'the key is that of another certificate', 'give the two that were made together')];
  } catch {
    return [fail(check, 'its key cannot be read', '--tls-key takes a PEM file without a passphrase')];
  }
  return [datesOf(check, 'it', certificate.validFrom, certificate.validTo)];
}
