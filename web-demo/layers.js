// In which sizes a camera is sent, and which of them are worth the work. It knows no tracks but the one it is
// given, and nothing of who watches.

/** @import { LayerWanted, TrackSource } from "./protocol.d.ts" */

/** Bits per second at most: what a tile, or a page of text, can make use of. */
const BITRATES = { camera: 2_500_000, screen: 3_000_000, microphone: 64_000, screen_audio: 128_000 };

/** What usual pictures of these sizes take, of 720p. */
const QUARTER = { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 160_000 };
const HALF = { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 550_000 };
const FULL = { rid: "f", maxBitrate: BITRATES.camera };
/** The longer side, in pixels, of a camera that is worth so many encoders. */
const THREE_LAYERS = 960;
const TWO_LAYERS = 480;

/**
 * The encodings to send a track in. A camera is sent in several sizes at once (simulcast), of which each viewer
 * gets one; a screen in one, for its text must be read.
 * @param {TrackSource} source
 * @param {MediaStreamTrack} track
 * @returns {RTCRtpEncodingParameters[]}
 */
export function encodings(source, track) {
  const { width = 0, height = 0 } = track.getSettings();
  const side = Math.max(width, height);
  if (source !== "camera" || side < TWO_LAYERS) return [{ maxBitrate: BITRATES[source] }];
  const layers = side < THREE_LAYERS ? [HALF, FULL] : [QUARTER, HALF, FULL];
  return layers.map((layer) => ({ ...layer }));
}

/** What is being changed of a sender; one change after the other, for each needs the last one's parameters. */
const changes = /** @type {WeakMap<RTCRtpSender, Promise<void>>} */ (new WeakMap());

/**
 * Encode what is wanted, and nothing else.
 * @param {RTCRtpSender} sender
 * @param {LayerWanted[] | null} layers all of them, lowest first; `null`: everything
 */
export function encode(sender, layers) {
  const change = (changes.get(sender) ?? Promise.resolve()).then(async () => {
    const parameters = sender.getParameters();
    let isOther = false;
    for (const [index, encoding] of parameters.encodings.entries()) {
      const layer = layers?.find((layer) => layer.rid !== undefined && layer.rid === encoding.rid) ?? layers?.[index];
      const active = layer?.wanted ?? true;
      isOther ||= (encoding.active ?? true) !== active;
      encoding.active = active;
    }
    if (isOther) await sender.setParameters(parameters);
  });
  // A sender that is stopped, or not negotiated yet, sends nothing anyhow.
  changes.set(sender, change.catch(() => {}));
}
