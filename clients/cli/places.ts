import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder where a user's keys and the owner's book lie unless --home or SMART_ZONE_HOME says otherwise. */
export function defaultHome(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  if (env.SMART_ZONE_HOME !== undefined && env.SMART_ZONE_HOME !== '') return env.SMART_ZONE_HOME;
  if (platform === 'win32') return join(env.APPDATA ?? join(homedir(), 'AppData', 'Roaming'), 'smart-zone');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'smart-zone');
  return join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'smart-zone');
}

export function keyPath(home: string, role: string): string {
  return join(home, `${role}.key.json`);
}

/** The witness file belongs to a key file and lies beside it. */
export function seenPath(keyFile: string): string {
  return keyFile.replace(/(\.key)?\.json$/, '') + '.seen.json';
}

export function bookPath(home: string): string {
  return join(home, 'owner.book.json');
}

/** The owner's public line, which the other parties pin. */
export function ownerLinePath(home: string): string {
  return join(home, 'owner.pub');
}

/** The owner's second key, until it is moved to where it cannot be lost together with the first. */
export function recoveryPath(home: string): string {
  return keyPath(home, 'owner-recovery');
}

/** A key that is to take the place of the one in `keyFile`, until it has. */
export function nextKeyPath(keyFile: string): string {
  return keyFile.replace(/(\.key)?\.json$/, '') + '.next.key.json';
}

/** The key that was in `keyFile` before. */
export function formerKeyPath(keyFile: string): string {
  return keyFile.replace(/(\.key)?\.json$/, '') + '.former.key.json';
}

/** Broker and device, as an accepted invitation named them. */
export function connectionPath(home: string): string {
  return join(home, 'connection.json');
}
