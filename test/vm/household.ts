/* What the people of the house do, as scripts for the machine. */

/** A broker that asks for client certificates, and an agent that has one, from systemd's credentials. */
export const TLS = `set -e
cd /etc/smart-zone/credentials
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out broker.ca -days 3650 -subj /CN=home
for name in broker agent client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
  openssl x509 -req -in $name.csr -CA broker.ca -CAkey ca.key -CAcreateserial -out $name.crt -days 3650 \\
    -extfile <(echo subjectAltName=DNS:porch)
done
install -o mosquitto -m 600 broker.key /etc/mosquitto/certs/broker.key
install -m 644 broker.crt broker.ca /etc/mosquitto/certs/
mkdir -p ~/tls && mv client.key client.crt ~/tls/ && cp broker.ca ~/tls/
mv agent.key broker.key && mv agent.crt broker.cert && echo unused > broker.password
rm -f broker.crt client.* *.csr *.srl
cat > /etc/mosquitto/conf.d/tls.conf <<END
listener 8883
cafile /etc/mosquitto/certs/broker.ca
certfile /etc/mosquitto/certs/broker.crt
keyfile /etc/mosquitto/certs/broker.key
require_certificate true
use_identity_as_username true
END
systemctl restart mosquitto
cat > /etc/smart-zone/agent.json <<END
{
  "broker": {
    "url": "mqtts://porch:8883",
    "tls": { "ca": "credential:broker.ca", "cert": "credential:broker.cert", "key": "credential:broker.key" }
  },
  "tee": { "library": "soft" }
}
END
cp /usr/share/smart-zone/drop-ins/tls.conf /etc/systemd/system/smart-zone-agent.service.d/
systemctl daemon-reload
systemctl restart smart-zone-agent
`;

/** For every smart-zone command after it. */
const CLIENT = `export SMART_ZONE_BROKER_URL=mqtts://porch:8883 SMART_ZONE_BROKER_TLS_CA=~/tls/broker.ca
export SMART_ZONE_BROKER_TLS_CERT=~/tls/client.crt SMART_ZONE_BROKER_TLS_KEY=~/tls/client.key
export HOME=\${CLIENT_HOME:-$HOME}
cd $HOME
# On an emulated machine a first connection can take too long; earlier versions then said so, and never ended.
patiently() { for attempt in 1 2 3; do timeout 90 "$@" && return; done; return 1; }
`;

/** The device has an owner, everybody is enrolled, and a model is there. */
export const OWN = `${CLIENT}set -e
smart-zone owner init
patiently smart-zone owner claim --device porch --accept software --yes
for role in sensor rules publisher; do
  patiently smart-zone owner enrol "$(smart-zone key new $role | grep -o 'sz1[^ ]*')"
done
smart-zone model pack /srv/face_detection_short_range.tflite --name faces --out ~/faces.szm
patiently smart-zone model wrap faces.szm --device porch
smart-zone model install faces.szm --directory /var/lib/smart-zone/models
`;

/**
 * One picture to the device, one label back: what it names (faces; footwear, once the larger model is there), and the digest of the
 * model that did. The picture goes off once the rules host is there, as the broker's log says (which does not grow on a full disk).
 */
export const LABEL = `${CLIENT}
there() { grep -c "as smart-zone-rules" /var/log/mosquitto/mosquitto.log; }
before=$(there)
smart-zone --json rules watch --device porch --count 1 --max-age 300 > /run/label 2> /run/watch & watcher=$!
for i in $(seq 30); do test "$(there)" != "$before" && break; sleep 1; done
sleep 2
# A streamed model on an emulated machine may take minutes.
smart-zone sensor send --device porch --timeout 300 /srv/sample1.jpg || {
  kill $watcher
  cat /run/watch
  journalctl -u smart-zone-agent -b -n 20 --no-pager
  exit 1
}
for i in $(seq 60); do kill -0 $watcher 2> /dev/null || break; sleep 1; done
kill $watcher 2> /dev/null
cat /run/label /run/watch
grep -q '"detections":\\[{' /run/label
`;

/** A model of 19 MiB, which MediaPipe's objectron has: its push takes a while. Each run packs the next one. */
export const PACK = `${CLIENT}set -e
rm -f objects.*
# A frame of this model takes an emulated machine longer than a TEE may take by default.
grep -q deadlineMs /etc/smart-zone/agent.json ||
  sed -i 's/"library": "soft"/"library": "soft", "deadlineMs": 120000/' /etc/smart-zone/agent.json
systemctl restart smart-zone-agent
target=$(smart-zone --json status --device porch | grep -o '"packingTarget":"[^"]*"' | cut -d '"' -f 4)
smart-zone --json model pack /srv/objectron_solution_packed_assets.data --name objects --preset object-detection-oidv4 \\
  --target "$target" --patches
`;

export const PUSH = `${CLIENT}
smart-zone --json model push objects.szm --to porch --timeout 120
`;

/** A push, until $1 holds: then the machine starts again at once, with nothing written back. */
export const PUSH_AND_CUT = `echo 1 > /proc/sys/kernel/sysrq
bash /srv/push.sh > /run/push 2>&1 & push=$!
until eval "$1"; do
  kill -0 $push 2> /dev/null || { cat /run/push; exit 1; }
done
echo b > /proc/sysrq-trigger
sleep 60
`;
