import { equalBytes, toHex } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex } from '../../protocol/kid.js';
import { verifyLabel, type Label } from '../../protocol/messages/label.js';
import { openRecord, type SealedRecord } from '../../protocol/messages/record.js';
import { verifyTelemetry } from '../../protocol/messages/telemetry.js';
import type { DeviceTrust } from '../trust/index.js';
import type { Epoch } from './epochs.js';
import type { NamedParty } from './label-event.js';
import type { TelemetryEvent } from './rules-options.js';

/** A label that the device made for one of its sensors' frames. */
export interface OpenedLabel {
  readonly label: Label;
  readonly device: NamedParty;
  readonly sensor: NamedParty;
}

/** Opens records of one device, and believes of them what its key has signed. */
export class LabelOpener {
  /** @param models digests of the models whose labels count; undefined: any */
  constructor(
    private readonly trust: DeviceTrust,
    private readonly models: readonly Uint8Array[] | undefined,
  ) {}

  /**
   * @param sensor whose frame it answers, as the topic says
   * @throws UNTRUSTED_DEVICE, BAD_TAG, BAD_SIGNATURE, WRONG_DEVICE, STALE_NONCE, UNKNOWN_SENDER, MODEL_UNKNOWN
   */
  label(record: SealedRecord, epoch: Epoch, sensor: NamedParty['kid']): OpenedLabel {
    const { device } = this.trust;
    if (device === undefined) throw new SmartZoneError('UNTRUSTED_DEVICE', 'label');
    const context = { purpose: 'label', device: device.kid, sender: sensor } as const;
    const label = verifyLabel(openRecord(record, epoch.key(context), context), device.hello.signingKey);
    if (!equalBytes(label.device, device.kid)) throw new SmartZoneError('WRONG_DEVICE', 'label');
    if (!equalBytes(label.bootNonce, epoch.bootNonce)) throw new SmartZoneError('STALE_NONCE', 'label');
    if (!equalBytes(label.sensor, sensor))
      throw new SmartZoneError('UNKNOWN_SENDER', 'label for another sensor');
    const member = this.trust.member(sensor, 'sensor');
    if (member === undefined) throw new SmartZoneError('UNKNOWN_SENDER', `sensor ${kidToHex(sensor)}`);
    if (this.models !== undefined && !this.models.some((model) => equalBytes(model, label.model)))
      throw new SmartZoneError('MODEL_UNKNOWN', toHex(label.model));
    return {
      label,
      device: { kid: device.kid, name: device.name },
      sensor: { kid: sensor, name: member.name },
    };
  }

  /** @throws UNTRUSTED_DEVICE, BAD_TAG, BAD_SIGNATURE, WRONG_DEVICE, STALE_NONCE */
  telemetry(record: SealedRecord, epoch: Epoch): TelemetryEvent {
    const { device } = this.trust;
    if (device === undefined) throw new SmartZoneError('UNTRUSTED_DEVICE', 'telemetry');
    const context = { purpose: 'telemetry', device: device.kid, sender: device.kid } as const;
    const telemetry = verifyTelemetry(
      openRecord(record, epoch.key(context), context),
      device.hello.signingKey,
    );
    if (!equalBytes(telemetry.device, device.kid)) throw new SmartZoneError('WRONG_DEVICE', 'telemetry');
    if (!equalBytes(telemetry.bootNonce, epoch.bootNonce))
      throw new SmartZoneError('STALE_NONCE', 'telemetry');
    return { ...telemetry, name: device.name };
  }
}
