// Node-RED loads CommonJS; the client library is an ES module, so it is imported when the first host connects.
'use strict';

const { readFile } = require('node:fs/promises');
const { join } = require('node:path');

/** @typedef {import('smart-zone/rules')} Library */

/** @param {Uint8Array} bytes */
const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** @param {{kid: Uint8Array, name: string}} party */
const party = ({ kid, name }) => ({ kid: hex(kid), name });

/** Milliseconds between attempts while the broker cannot be reached at the start; later the library reconnects. */
const RETRY = 5000;

/** Text for the editor: short, without control characters. @param {unknown} text */
const short = (text) => {
  // eslint-disable-next-line no-control-regex -- that is what is replaced
  const clean = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
  return clean.length > 40 ? `${clean.slice(0, 40)}…` : clean;
};

/** @param {object} event @param {string[]} names */
const without = (event, ...names) =>
  Object.fromEntries(Object.entries(event).filter(([name]) => !names.includes(name)));

/** Words separated by commas. @param {string | undefined} text */
const listOf = (text) =>
  (text ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

module.exports = (RED) => {
  /** One connection of this Node-RED as a rules host; nodes share it. */
  function Host(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    const { key = '', passphrase, username, password } = node.credentials ?? {};
    let closed = false;
    let wake;

    const connect = async () => {
      /** @type {Library} */
      const library = await import('smart-zone/rules');
      const { connectRules, deviceSeenPath, parseKeyFile } = library;
      const keys = parseKeyFile(key, passphrase ? { passphrase } : {}, 'the key in the credentials');
      const folder = join(RED.settings.userDir ?? '.', 'smart-zone');
      return connectRules({
        broker: {
          url: config.broker,
          connectTimeout: RETRY,
          ...(username ? { username, password } : {}),
          ...(config.ca ? { ca: await readFile(config.ca) } : {}),
        },
        devices: listOf(config.devices).map((name) => (name.includes('/') ? { prefix: name } : name)),
        key: keys,
        owner: config.owner.trim(),
        seenPath: (prefix) => deviceSeenPath(join(folder, `${hex(keys.signing.kid)}.json`), prefix),
      });
    };
    /** @type {Promise<Awaited<ReturnType<Library['connectRules']>> | undefined>} */
    const connecting = (async () => {
      for (let told = ''; !closed;) {
        try {
          const rules = await connect();
          if (!closed) return rules;
          await rules.close();
        } catch (error) {
          if (error.message !== told) node.error((told = error.message));
          // The broker may come up later than Node-RED; a wrong key stays wrong.
          if (error.code !== 'BROKER_UNREACHABLE') return undefined;
          await new Promise((again) => (wake = setTimeout(again, RETRY)));
        }
      }
      return undefined;
    })();

    /** Calls `attach` with the connection, when there is one; `failed` where there is none. Returns what takes it back. */
    node.use = (attach, failed) => {
      /** @type {(() => void) | undefined} */
      let detach;
      let over = false;
      connecting.then((rules) => {
        if (rules === undefined) failed();
        else if (!over) detach = attach(rules);
      });
      return () => {
        over = true;
        detach?.();
      };
    };

    node.on('close', (done) => {
      closed = true;
      // Whatever is being tried ends by itself; a deployment does not wait for it.
      clearTimeout(wake);
      const ended = connecting.then((rules) => rules?.close());
      Promise.race([ended, new Promise((late) => setTimeout(late, 2000))]).then(() => done(), done);
    });
  }
  RED.nodes.registerType('smart-zone-host', Host, {
    credentials: {
      key: { type: 'password' },
      passphrase: { type: 'password' },
      username: { type: 'text' },
      password: { type: 'password' },
    },
  });

  /** What both nodes do: find their host, say how it stands, let go. */
  const follow = (node, config, attach) => {
    const host = RED.nodes.getNode(config.host);
    if (host?.use === undefined) {
      node.status({ fill: 'red', shape: 'ring', text: 'no rules host' });
      return;
    }
    node.status({ fill: 'yellow', shape: 'ring', text: 'connecting' });
    const letGo = host.use(
      (rules) => {
        const connection = ({ connected }) =>
          node.status(
            connected
              ? { fill: 'green', shape: 'dot', text: 'connected' }
              : { fill: 'red', shape: 'ring', text: 'the broker is away' },
          );
        rules.on('connection', connection);
        connection({ connected: rules.link.connected });
        const detach = attach(rules);
        return () => {
          rules.off('connection', connection);
          detach();
        };
      },
      () => node.status({ fill: 'red', shape: 'ring', text: 'cannot connect' }),
    );
    node.on('close', letGo);
  };

  function LabelIn(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    const wanted = (sensor, name) =>
      (!config.sensor || config.sensor === sensor) && (!config.class || config.class === name);

    const onLabel = ({ label }) => {
      const { results, sensor, device, number, frameId, sensorTime, received } = label;
      const found = results.kind === 'detections' ? results.detections : (results.classes ?? []);
      if (config.class ? !found.some(({ name }) => wanted(sensor.name, name)) : !wanted(sensor.name, ''))
        return;
      const best = found.reduce((a, b) => (a === undefined || b.score > a.score ? b : a), undefined);
      node.status({ fill: 'green', shape: 'dot', text: short(best?.name ?? 'nothing') });
      const payload = results.kind === 'tensor' ? { ...results, data: Buffer.from(results.data) } : results;
      node.send({
        topic: sensor.name,
        payload,
        device: party(device),
        sensor: party(sensor),
        number,
        frameId: hex(frameId),
        time: sensorTime,
        received,
      });
    };
    const onEvent = (event) => {
      if (!wanted(event.sensor.name, event.class)) return;
      const { device, sensor } = event;
      const payload = without(event, 'type', 'device', 'sensor');
      node.status({ fill: 'green', shape: 'dot', text: short(`${event.phase} ${event.class}`) });
      node.send({
        topic: sensor.name,
        payload,
        device: party(device),
        sensor: party(sensor),
        time: event.last,
      });
    };

    follow(node, config, (rules) => {
      const [type, listener] = config.of === 'event' ? ['event', onEvent] : ['label', onLabel];
      rules.on(type, listener);
      return () => rules.off(type, listener);
    });
  }
  RED.nodes.registerType('smart-zone-label', LabelIn);

  function DeviceStatus(config) {
    RED.nodes.createNode(this, config);
    const node = this;
    const onDevice = (event) => {
      const { device } = event;
      const payload = without(event, 'type', 'device');
      node.send({
        topic: device?.name ?? payload.prefix,
        payload,
        ...(device === undefined ? {} : { device: party(device) }),
      });
    };
    follow(node, config, (rules) => {
      rules.on('device', onDevice);
      for (const event of rules.devices) onDevice(event);
      return () => rules.off('device', onDevice);
    });
  }
  RED.nodes.registerType('smart-zone-device', DeviceStatus);
};
