/**
 * Shows what the server sends. Class names, sensor names and topics are text of strangers: they go into the page as text nodes and
 * attributes of no meaning, never as markup.
 */

const SVG = 'http://www.w3.org/2000/svg';
const get = (id) => document.getElementById(id);

/** An element with properties, and children that are nodes or text. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) made[key] = value;
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

const clock = (time) => new Date(time).toISOString().slice(11, 19);
const row = (...cells) =>
  element('tr', {}, ...cells.map((cell) => (cell.tagName === 'TD' ? cell : element('td', {}, cell))));

/** Labels of the last minute by time: height is the score, red is a gap in the numbers. */
function timeline(sensor, now) {
  const svg = shape('svg', {
    viewBox: '0 0 640 40',
    role: 'img',
    'aria-label': `${sensor.labels.length} labels in the last minute, ${sensor.missed} missing so far`,
  });
  svg.append(shape('line', { x1: 0, y1: 39.5, x2: 640, y2: 39.5, class: 'axis' }));
  const x = (time) => 640 - ((now - time) / 60_000) * 640;
  for (const { time, score } of sensor.labels) {
    const height = 3 + 33 * score;
    svg.append(shape('rect', { x: x(time) - 3, y: 39 - height, width: 3, height, class: 'bar' }));
  }
  for (const time of sensor.gaps)
    svg.append(shape('rect', { x: x(time) - 3, y: 0, width: 3, height: 39, class: 'gap' }));
  return svg;
}

function showSensor(sensor, now) {
  return element(
    'li',
    {},
    element('h3', {}, sensor.name),
    element(
      'p',
      {},
      `${sensor.device} · ${sensor.total} labels · last: `,
      element('span', { className: 'label' }, sensor.last),
    ),
    element(
      'p',
      { className: sensor.missed > 0 ? 'alarm' : '' },
      sensor.missed > 0 ? `${sensor.missed} labels are missing` : 'no gaps in the numbers',
    ),
    timeline(sensor, now),
  );
}

function showDevice(device) {
  const models = device.models.map(({ time, to }) => `${to === 0 ? 'none' : to} since ${clock(time)}`);
  return element(
    'li',
    {},
    element('h3', {}, device.name),
    element(
      'p',
      { className: device.state === 'online' ? '' : 'alarm' },
      `says it is ${device.state}${device.behind ? ', has not taken the newest roster' : ''}`,
    ),
    element('p', {}, `security level: ${device.level}. ${device.meaning}`),
    element('p', {}, `model ${models.length === 0 ? 'unknown' : models.join(', before that ')}`),
  );
}

function showLatency({ counts, edges, median, p95 }) {
  const svg = get('latency');
  const most = Math.max(1, ...counts);
  const width = 320 / counts.length;
  svg.replaceChildren(
    ...counts.flatMap((count, i) => {
      const height = (count / most) * 95;
      const edge = i < edges.length ? `${edges[i]}` : 'more';
      return [
        shape('rect', { x: i * width + 2, y: 100 - height, width: width - 4, height, class: 'bar' }),
        shape('text', { x: (i + 0.5) * width, y: 114, 'text-anchor': 'middle' }, edge),
      ];
    }),
  );
  get('latency-text').textContent =
    median === undefined
      ? 'no labels yet'
      : `Upper bounds in milliseconds. Half within ${median} ms, 95 of 100 within ${p95} ms.`;
}

function show(state) {
  const { now } = state;
  get('status').textContent = state.connected ? 'Connected to the broker' : 'The broker is away';
  get('wire').replaceChildren(
    ...state.wire.map(({ topic, size, hex }) =>
      row(topic, element('td', { className: 'number' }, size), hex),
    ),
  );
  get('known').replaceChildren(
    ...state.known.map(({ time, sensor, text }) =>
      row(element('time', {}, clock(time)), sensor, element('td', { className: 'label' }, text)),
    ),
  );
  get('sensors').replaceChildren(...state.sensors.map((sensor) => showSensor(sensor, now)));
  get('devices').replaceChildren(...state.devices.map(showDevice));
  showLatency(state.latency);
  const fired = state.rules.map(({ time, rule, on }) =>
    element('li', {}, `${clock(time)}  ${rule}: ${on ? 'on' : 'off'}`),
  );
  get('rules').replaceChildren(
    ...(fired.length > 0
      ? fired
      : [element('li', {}, state.hasRules ? 'none yet' : 'no file of rules was given')]),
  );
}

let paused = false;
let newest;
const pause = get('pause');
pause.addEventListener('click', () => {
  paused = !paused;
  pause.setAttribute('aria-pressed', String(paused));
  if (!paused && newest !== undefined) show(newest);
});

const source = new EventSource('events');
source.addEventListener('message', ({ data }) => {
  newest = JSON.parse(data);
  if (!paused) show(newest);
});
source.addEventListener('error', () => {
  get('status').textContent = 'The dashboard has ended, or is away';
});
