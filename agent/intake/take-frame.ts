import type { Incoming } from '../broker/incoming.js';
import type { Counters } from '../telemetry.js';
import type { FrameQueue, FrameSource } from './frame-queue.js';

/** Counts a frame and queues it. @param zone undefined: it came on the device's own topics */
export function takeFrame(
  { counters, queue }: { readonly counters: Counters; readonly queue: FrameQueue },
  sensor: string,
  message: Incoming,
  zone?: FrameSource,
): void {
  counters.add('frames_received');
  if (message.retain) {
    // A retained frame would come with every subscription, for ever.
    counters.lost('retained');
    return message.acknowledge();
  }
  queue.push({
    sensor,
    record: message.payload,
    arrived: performance.now(),
    connection: message.connection,
    acknowledge: () => message.acknowledge(),
    ...(zone && { zone }),
  });
}
