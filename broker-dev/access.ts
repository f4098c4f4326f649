import { readFileSync } from 'node:fs';

/** Who a client says it is: `role:name` in its user name or in the common name of its certificate. */
export interface Party {
  readonly role: Role;
  /** kid of a sensor, rules host, publisher or owner in hexadecimal; the device name of an agent. */
  readonly name: string;
}
export type Role = 'sensor' | 'rules' | 'publisher' | 'owner' | 'agent';

interface Rights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Topic filters below the prefix, per role; <name> stands for the party's own name. */
const RIGHTS: Readonly<Record<Role, Rights>> = {
  sensor: {
    publish: ['evidence', 'sensor/<name>/offer', 'sensor/<name>/frame'],
    subscribe: ['evidence/reply', 'state', 'hello', 'roster', 'sensor/<name>/receipt'],
  },
  rules: {
    publish: ['evidence', 'rules/<name>/hello'],
    subscribe: [
      'evidence/reply',
      'state',
      'hello',
      'roster',
      'rules/<name>/offer',
      'label/+',
      'telemetry',
      'model/status',
    ],
  },
  publisher: {
    publish: ['evidence', 'model/offer'],
    subscribe: ['evidence/reply', 'state', 'hello', 'roster', 'model/want', 'model/status'],
  },
  owner: {
    publish: ['evidence', 'owner', 'roster'],
    subscribe: ['evidence/reply', 'state', 'hello', 'roster', 'owner/reply', 'model/status'],
  },
  agent: {
    publish: [
      'state',
      'hello',
      'owner/reply',
      'evidence/reply',
      'sensor/+/receipt',
      'rules/+/offer',
      'label/+',
      'telemetry',
      'model/want',
      'model/status',
    ],
    subscribe: [
      'roster',
      'owner',
      'evidence',
      'sensor/+/offer',
      'sensor/+/frame',
      'rules/+/hello',
      'model/offer',
    ],
  },
};

/** Topics of packages and zones: the same for all devices, below no prefix. */
const SHARED: Readonly<Partial<Record<Role, Partial<Rights>>>> = {
  publisher: { publish: ['smartzone/model/+/package', 'smartzone/model/+/segment/+'] },
  sensor: {
    publish: ['smartzone/zone/+/sensor/<name>/offer', 'smartzone/zone/+/sensor/<name>/frame'],
    subscribe: ['smartzone/zone/+/sensor/<name>/receipt/+'],
  },
  agent: {
    // A frame that one device cannot answer goes back to the others.
    publish: ['smartzone/zone/+/sensor/+/receipt/+', 'smartzone/zone/+/sensor/+/frame'],
    subscribe: [
      'smartzone/model/+/package',
      'smartzone/model/+/segment/+',
      'smartzone/zone/+/sensor/+/offer',
      '$share/+/smartzone/zone/+/sensor/+/frame',
    ],
  },
};

/** The file given to --acl. */
export interface AccessFile {
  /** What topics start with; + stands for one level. An agent may use only the prefix that ends in its own name. */
  readonly prefix?: string;
  /** user name (`role:name`) -> password. Clients with a verified certificate need none. */
  readonly users?: Readonly<Record<string, string>>;
}

/** Access control by role: what each party of the protocol needs, and nothing else. */
export class AccessList {
  readonly #prefix: string;
  readonly #users: ReadonlyMap<string, string>;

  constructor({ prefix = 'smartzone/+', users = {} }: AccessFile) {
    this.#prefix = prefix;
    this.#users = new Map(Object.entries(users));
    for (const name of this.#users.keys())
      if (!parseParty(name))
        throw new Error(`${name}: a user name is role:name, role one of ${Object.keys(RIGHTS).join(', ')}`);
  }

  static read(file: string): AccessList {
    return new AccessList(JSON.parse(readFileSync(file, 'utf8')) as AccessFile);
  }

  /** The party behind a connection, or undefined if it may not connect. */
  authenticate(username?: string, password?: string, certificateName?: string): Party | undefined {
    if (certificateName !== undefined) return parseParty(certificateName);
    if (username === undefined || password === undefined) return undefined;
    return this.#users.get(username) === password ? parseParty(username) : undefined;
  }

  mayPublish(party: Party, topic: string): boolean {
    return this.#allows(party, 'publish', topic);
  }

  maySubscribe(party: Party, filter: string): boolean {
    return this.#allows(party, 'subscribe', filter);
  }

  #allows({ role, name }: Party, what: keyof Rights, asked: string): boolean {
    const prefix = role === 'agent' ? this.#prefix.replace(/\+$/, name) : this.#prefix;
    return (
      RIGHTS[role][what].some((right) => covers(`${prefix}/${right.replace('<name>', name)}`, asked)) ||
      (SHARED[role]?.[what] ?? []).some((filter) => covers(filter.replace('<name>', name), asked))
    );
  }
}

const parseParty = (text: string): Party | undefined => {
  const [, role, name] = /^(sensor|rules|publisher|owner|agent):([A-Za-z0-9_-]{1,64})$/.exec(text) ?? [];
  return role && name ? { role: role as Role, name } : undefined;
};

/** Whether everything that `asked` (a topic or filter) matches is matched by `allowed` (a filter without #). */
const covers = (allowed: string, asked: string): boolean => {
  const left = allowed.split('/');
  const right = asked.split('/');
  return (
    left.length === right.length &&
    right.every((level, i) => level !== '#' && (left[i] === '+' || left[i] === level))
  );
};
