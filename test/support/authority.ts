import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as PEM files. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** An authority of its own, by OpenSSL: its certificates are good for two days and for 127.0.0.1 and localhost. */
export class Authority {
  private constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  static create(folder: string, name = 'ca'): Authority {
    const authority = new Authority(folder, name);
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    authority.#openssl('req', '-x509', ...NEW_KEY, '-days', '2', ...files, '-subj', `/CN=${name}`);
    return authority;
  }

  /** PEM file of its own certificate. */
  get file(): string {
    return join(this.folder, `${this.name}.pem`);
  }

  issue(name: string, subject: string): Certificate {
    const [key, request, extensions] = [`${name}.key`, `${name}.csr`, `${name}.ext`];
    this.#openssl('req', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', subject);
    writeFileSync(join(this.folder, extensions), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    const by = ['-CA', `${this.name}.pem`, '-CAkey', `${this.name}.key`, '-CAcreateserial'];
    const given = ['-in', request, '-extfile', extensions, '-out', `${name}.pem`];
    this.#openssl('x509', '-req', ...by, '-days', '2', ...given);
    return { cert: join(this.folder, `${name}.pem`), key: join(this.folder, key) };
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }
}
