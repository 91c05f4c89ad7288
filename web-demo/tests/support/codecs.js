// Which codec a page's camera is sent in. A script for the page, to run before its own.

/**
 * The page sends video in this codec, if its browser can: `window.canEncode` says whether.
 * @param {string} codec as in `video/VP8`
 */
export const prefer = (codec) => `{
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (what, options) {
    const transceiver = add.call(this, what, options);
    if (what?.kind === "video") {
      const all = RTCRtpSender.getCapabilities("video").codecs;
      window.canEncode = all.some((one) => one.mimeType === "${codec}");
      const helpers = all.filter((one) => /rtx|red|ulpfec/.test(one.mimeType));
      if (window.canEncode) transceiver.setCodecPreferences([...all.filter((one) => one.mimeType === "${codec}"), ...helpers]);
    }
    return transceiver;
  };
}`;
