// Turns the published vectors into lines for the C test `trust_vectors`: node vectors.mjs OUTPUT
// Words are separated by spaces; byte strings are hexadecimal, "-" is the empty one. The file's first word of each line names
// what is tested. Without the folder of vectors (SMART_ZONE_SHARED, default ../shared beside the repository) the
// output is the one line "skipped" and a message says so.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = path.resolve(root, process.env.SMART_ZONE_SHARED ?? '../shared', 'vectors');
const output = process.argv[2];
const lines = [];

const read = (file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
const hex = (text) => (text ? text.toLowerCase() : '-');
const ofText = (text) => hex(Buffer.from(text, 'utf8').toString('hex'));
const ofBase64 = (text) => hex(Buffer.from(text, 'base64url').toString('hex'));
const add = (...words) => lines.push(words.join(' '));

const wycheproof = (name, each) => {
  for (const group of read(`wycheproof/${name}_test.json`).testGroups)
    for (const test of group.tests) each(group, test, test.result);
};

const addWycheproof = () => {
  wycheproof('aes_gcm', (group, t, result) => {
    if (group.keySize !== 128 || group.ivSize !== 96) add('not-applicable', 'gcm');
    else add('gcm', t.tcId, result, hex(t.key), hex(t.iv), hex(t.aad), hex(t.msg), hex(t.ct), hex(t.tag));
  });
  wycheproof('x25519', (_, t, result) => {
    add('x25519', t.tcId, result, hex(t.public), hex(t.private), hex(t.shared));
  });
  wycheproof('ed25519', (group, t, result) => {
    add('ed25519', t.tcId, result, hex(group.publicKey.pk), hex(t.msg), hex(t.sig));
  });
  wycheproof('hmac_sha256', (_, t, result) => {
    add('hmac', t.tcId, result, hex(t.key), hex(t.msg), hex(t.tag));
  });
  wycheproof('hkdf_sha256', (_, t, result) => {
    add('hkdf', t.tcId, result, hex(t.ikm), hex(t.salt), hex(t.info), t.size, hex(t.okm));
  });
};

const addHpke = () => {
  const v = read('hpke/rfc9180-a.1.1.json');
  add(
    'hpke-schedule',
    hex(v.info),
    hex(v.pkEm),
    hex(v.pkRm),
    hex(v.skRm),
    hex(v.shared_secret),
    hex(v.key),
    hex(v.base_nonce),
  );
  const first = v.encryptions.find((each) => each.sequence_number === 0);
  const keys = [v.skEm, v.pkEm, v.skRm, v.pkRm].map(hex);
  add('hpke', ...keys, hex(v.info), hex(first.aad), hex(first.pt), hex(first.ct));
};

// What decoding must give, where JSON says it exactly: u and i decimal, f the bits of the double, t and b bytes, s simple.
const expectedValue = (vector) => {
  if (!('decoded' in vector))
    return vector.diagnostic?.startsWith("h'") ? `b:${vector.diagnostic.slice(2, -1)}` : '-';
  const value = vector.decoded;
  const major = parseInt(vector.hex.slice(0, 2), 16) >> 5;
  if (typeof value === 'boolean' || value === null) return `s:${value}`;
  if (typeof value === 'string' && major === 3) return `t:${Buffer.from(value, 'utf8').toString('hex')}`;
  if (typeof value !== 'number') return '-';
  if (major === 7) {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value);
    return `f:${bits.toString('hex')}`;
  }
  if (!Number.isSafeInteger(value)) return '-';
  return major === 0 ? `u:${value}` : major === 1 ? `i:${value}` : '-';
};

// Deterministic and in the profile, told from the encoding alone and not by the parser under test.
const strict = ({ hex: bytes, roundtrip }) =>
  roundtrip &&
  !/^(f7|f0|f818|f8ff)$/.test(bytes) && // simple values that are neither false, true nor null
  !/^(fa7f800000|fa7fc00000|faff800000|fb7ff0000000000000|fb7ff8000000000000|fbfff0000000000000)$/.test(
    bytes,
  ); // longer than needed

const addCbor = () => {
  for (const vector of read('cbor/appendix_a.json'))
    add('cbor', strict(vector) ? 'valid' : 'invalid', hex(vector.hex), expectedValue(vector));
};

// name kind result tagged message key external plaintext structure base-iv
const coseLine = (name, vector) => {
  const {
    input,
    intermediates,
    output: { cbor },
  } = vector;
  const result = vector.fail ? 'invalid' : 'valid';
  const tagged = input.failures?.RemoveCBORTag ? 'untagged' : 'tagged';
  const line = (kind, key, external, structure, baseIv = '-') =>
    add(
      'cose',
      name,
      kind,
      result,
      tagged,
      hex(cbor),
      key,
      hex(external),
      ofText(input.plaintext),
      hex(structure),
      baseIv,
    );
  if (input.sign0) {
    const { key, external } = input.sign0;
    if (key.crv === 'Ed448') return add('not-applicable', 'cose');
    const bytes = key.crv === 'P-256' ? ofBase64(key.x) + ofBase64(key.y) : hex(key.x_hex);
    return line(key.crv === 'P-256' ? 'sign1-es256' : 'sign1', bytes, external, intermediates.ToBeSign_hex);
  }
  if (input.sign) {
    const { key } = input.sign.signers[0];
    if (key.crv === 'Ed448') return add('not-applicable', 'cose');
    return line('sign', hex(key.x_hex), undefined, intermediates.signers[0].ToBeSign_hex);
  }
  const encryption = input.encrypted ?? input.enveloped;
  if (intermediates.CEK_hex.length !== 32) return add('not-applicable', 'cose');
  // The base IV is the unsent IV without the Partial IV that is XORed into its end.
  const baseIv = encryption.unsent ? `${hex(encryption.unsent.IV_hex).slice(0, 20)}0000` : '-';
  const kind = input.encrypted ? 'encrypt0' : 'encrypt';
  return line(kind, hex(intermediates.CEK_hex), encryption.external, intermediates.AAD_hex, baseIv);
};

const addCose = () => {
  for (const group of ['sign1-tests', 'eddsa-examples', 'encrypted-tests', 'aes-gcm-examples'])
    for (const file of readdirSync(path.join(folder, 'cose-wg', group))
      .filter((each) => each.endsWith('.json'))
      .sort())
      coseLine(file.replace('.json', ''), read(`cose-wg/${group}/${file}`));
};

if (existsSync(folder)) {
  addWycheproof();
  addHpke();
  addCbor();
  addCose();
} else {
  console.error(`skipped: published vectors in C: no ${folder} (set SMART_ZONE_SHARED)`);
  lines.push('skipped');
}
writeFileSync(output, `${lines.join('\n')}\n`);
