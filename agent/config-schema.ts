import type convict from 'convict';
import { hostname } from 'node:os';
import { BUFFER, TA_UUID } from '../protocol/codes.js';

/** MQTT wildcards, separators and control characters have no place in a topic level (MQTT 5, section 4.7). */
export const sanitiseName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63) || 'device';

const topicLevel = (value: unknown): void => {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,63}$/.test(value))
    throw new Error('must be 1 to 63 of A-Z a-z 0-9 _ -');
};

const topicPrefix = (value: unknown): void => {
  // eslint-disable-next-line no-control-regex
  if (typeof value !== 'string' || /[+#\u0000-\u001f\u007f]|^\/|\/$|\/\/|^\$/.test(value))
    throw new Error('must be a topic without wildcards, empty levels or a leading $');
};

const brokerUrl = (value: unknown): void => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !['mqtt:', 'mqtts:'].includes(url.protocol))
    throw new Error('must be mqtt://host[:port] or mqtts://host[:port]');
  // A URL is logged and shown; a password is not.
  if (url.username || url.password) throw new Error('must not contain a user name or password');
};

const text = (value: unknown): void => {
  if (typeof value !== 'string') throw new Error('must be a string');
};

const uuid = (value: unknown): void => {
  if (typeof value !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value))
    throw new Error('must be a UUID in lower-case hexadecimal');
};

const between =
  (least: number, most: number) =>
  (value: unknown): void => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw new Error(`must be a whole number from ${least} to ${most}`);
  };

/** Every key with its meaning, default, format and environment variable. The only place where a key is defined. */
export const configSchema = {
  development: {
    doc: 'Permits what must not happen in production: broker.tls.verify = false.',
    format: Boolean,
    default: false,
    env: 'SMART_ZONE_DEVELOPMENT',
  },
  device: {
    name: {
      doc: 'Name of this device in topics and in the client identifier. Default: the host name.',
      format: topicLevel,
      default: sanitiseName(hostname()),
      env: 'SMART_ZONE_DEVICE_NAME',
    },
  },
  topics: {
    prefix: {
      doc: 'What every topic starts with. Empty: smartzone/<device.name>.',
      format: topicPrefix,
      default: '',
      env: 'SMART_ZONE_TOPIC_PREFIX',
    },
  },
  broker: {
    url: {
      doc: 'The broker: mqtt://host[:port], or mqtts://host[:port] with TLS.',
      format: brokerUrl,
      default: 'mqtt://127.0.0.1:1883',
      env: 'SMART_ZONE_BROKER_URL',
    },
    username: {
      doc: 'User name for the broker.',
      format: text,
      default: '',
      env: 'SMART_ZONE_BROKER_USERNAME',
    },
    password: {
      doc: 'Password for the broker. Prefer broker.passwordFile: environments and process lists are easily read.',
      format: text,
      default: '',
      env: 'SMART_ZONE_BROKER_PASSWORD',
      sensitive: true,
    },
    passwordFile: {
      doc: 'File whose first line is the password; credential:NAME for a systemd credential, here and for the TLS files.',
      format: text,
      default: '',
      env: 'SMART_ZONE_BROKER_PASSWORD_FILE',
    },
    clientId: {
      doc: 'MQTT client identifier; must stay the same over restarts. Empty: smart-zone-<device.name>.',
      format: text,
      default: '',
      env: 'SMART_ZONE_BROKER_CLIENT_ID',
    },
    protocol: {
      doc: 'MQTT version: auto tries 5 and falls back to 3.1.1 when the broker refuses it.',
      format: ['auto', '5', '3.1.1'],
      default: 'auto',
      env: 'SMART_ZONE_BROKER_PROTOCOL',
    },
    sessionExpirySeconds: {
      doc: 'How long the broker keeps frames for an agent that is away (MQTT 5).',
      format: between(0, 0xfffffffe),
      default: 86_400,
      env: 'SMART_ZONE_BROKER_SESSION_EXPIRY_SECONDS',
    },
    keepaliveSeconds: {
      doc: 'Longest silence before the broker is asked whether it is there.',
      format: between(1, 65_535),
      default: 30,
      env: 'SMART_ZONE_BROKER_KEEPALIVE_SECONDS',
    },
    connectTimeoutMs: {
      doc: 'How long one attempt to connect may take.',
      format: between(100, 600_000),
      default: 10_000,
      env: 'SMART_ZONE_BROKER_CONNECT_TIMEOUT_MS',
    },
    reconnectMinMs: {
      doc: 'First wait before connecting again; doubles with each failure, with jitter.',
      format: between(1, 600_000),
      default: 250,
      env: 'SMART_ZONE_BROKER_RECONNECT_MIN_MS',
    },
    reconnectMaxMs: {
      doc: 'Longest wait before connecting again.',
      format: between(1, 3_600_000),
      default: 30_000,
      env: 'SMART_ZONE_BROKER_RECONNECT_MAX_MS',
    },
    tls: {
      ca: {
        doc: 'PEM file of the certificate authorities to trust. Empty: those that come with Node.',
        format: text,
        default: '',
        env: 'SMART_ZONE_BROKER_TLS_CA',
      },
      cert: {
        doc: 'PEM file of the client certificate.',
        format: text,
        default: '',
        env: 'SMART_ZONE_BROKER_TLS_CERT',
      },
      key: {
        doc: 'PEM file of the client key.',
        format: text,
        default: '',
        env: 'SMART_ZONE_BROKER_TLS_KEY',
      },
      minVersion: {
        doc: 'Least TLS version.',
        format: ['TLSv1.2', 'TLSv1.3'],
        default: 'TLSv1.2',
        env: 'SMART_ZONE_BROKER_TLS_MIN_VERSION',
      },
      verify: {
        doc: 'Verify the certificate of the broker. false only together with development = true.',
        format: Boolean,
        default: true,
        env: 'SMART_ZONE_BROKER_TLS_VERIFY',
      },
    },
  },
  queue: {
    depth: {
      doc: 'Frames that wait for the TEE. When full the oldest is dropped, acknowledged to the broker and counted.',
      format: between(1, 1024),
      default: 16,
      env: 'SMART_ZONE_QUEUE_DEPTH',
    },
  },
  labels: {
    expirySeconds: {
      doc: 'How long the broker keeps a label for a rules host that is away (MQTT 5).',
      format: between(1, 0xfffffffe),
      default: 300,
      env: 'SMART_ZONE_LABELS_EXPIRY_SECONDS',
    },
  },
  tee: {
    library: {
      doc: 'TEE client library: soft (the software TEE, protects nobody), optee (libteec.so.2), or a path.',
      format: text,
      default: 'soft',
      env: 'SMART_ZONE_TEE_LIBRARY',
    },
    addon: {
      doc: 'Path of the native addon. Empty: build/smart_zone_tee.node of this package.',
      format: text,
      default: '',
      env: 'SMART_ZONE_TEE_ADDON',
    },
    uuid: {
      doc: 'UUID of the trusted application.',
      format: uuid,
      default: TA_UUID,
      env: 'SMART_ZONE_TEE_UUID',
    },
    bufferSize: {
      doc: 'Bytes of the one shared buffer: two areas for requests, one for replies. Smaller ones make models that are streamed slower.',
      format: between(65_536, 64 * 1024 * 1024),
      default: 2 * BUFFER.in + BUFFER.out,
      env: 'SMART_ZONE_TEE_BUFFER_SIZE',
    },
    deadlineMs: {
      doc: 'How long one call to the TEE may take before its client process is killed and started again; four times that for opening it.',
      format: between(100, 600_000),
      default: 15_000,
      env: 'SMART_ZONE_TEE_DEADLINE_MS',
    },
    restartMaxMs: {
      doc: 'Longest wait before opening the TEE again; the first attempt follows at once.',
      format: between(10, 600_000),
      default: 5_000,
      env: 'SMART_ZONE_TEE_RESTART_MAX_MS',
    },
    storageDir: {
      doc: 'Trusted storage of the software TEE. Empty: tee/ in the state directory.',
      format: text,
      default: '',
      env: 'SMART_ZONE_TEE_DIR',
    },
  },
  models: {
    directory: {
      doc: 'Where model packages (ciphertext) lie. Empty: models/ in the state directory.',
      format: text,
      default: '',
      env: 'SMART_ZONE_MODELS_DIRECTORY',
    },
    maxMebibytes: {
      doc: 'Most that model packages may take on the disk, in MiB: the committed one, the one before, and one that is fetched.',
      format: between(1, 1_048_576),
      default: 1_024,
      env: 'SMART_ZONE_MODELS_MAX_MEBIBYTES',
    },
  },
  receipts: {
    frames: {
      doc: 'A receipt goes to the sensor at the latest after this many frames of a channel.',
      format: between(1, 1_000_000),
      default: 8,
      env: 'SMART_ZONE_RECEIPTS_FRAMES',
    },
    intervalMs: {
      doc: 'A receipt goes to the sensor at the latest this long after a frame.',
      format: between(10, 3_600_000),
      default: 1_000,
      env: 'SMART_ZONE_RECEIPTS_INTERVAL_MS',
    },
  },
  telemetry: {
    intervalMs: {
      doc: 'Time between sealed telemetry records; 0 = none.',
      format: between(0, 86_400_000),
      default: 60_000,
      env: 'SMART_ZONE_TELEMETRY_INTERVAL_MS',
    },
  },
  log: {
    level: {
      doc: 'Least important messages that are logged.',
      format: ['error', 'warn', 'info', 'debug'],
      default: 'info',
      env: 'SMART_ZONE_LOG_LEVEL',
    },
  },
  health: {
    port: {
      doc: 'Port on 127.0.0.1 for /livez, /readyz and /metrics; 0 = none.',
      format: between(0, 65_535),
      default: 0,
      env: 'SMART_ZONE_HEALTH_PORT',
    },
  },
  watchdog: {
    enabled: {
      doc: 'Feed the watchdog of systemd (WatchdogSec=) while the event loop and the TA answer.',
      format: Boolean,
      default: true,
      env: 'SMART_ZONE_WATCHDOG_ENABLED',
    },
  },
} satisfies convict.Schema<unknown>;
