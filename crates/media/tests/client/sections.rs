//! What a client offers: sections that send or receive, and the numbers that they have in every offer.

use super::Credentials;

/// A media section of a client's offer.
#[derive(Clone, Copy)]
pub enum Section {
    /// Sends Opus under this SSRC.
    SendAudio(u32),
    /// Sends VP8 under this SSRC.
    SendVideo(u32),
    /// Sends two simulcast layers of VP8 under these SSRCs, the lower one first.
    SendSimulcast([u32; 2]),
    ReceiveAudio,
    ReceiveVideo,
    /// Sends RED or Opus under this SSRC.
    SendRed(u32),
    /// Reads RED, under numbers that nobody else has.
    ReceiveRed,
    /// Receives video, and tells when each packet arrived.
    ReceiveVideoWithFeedback,
}

/// The number of the audio level extension in every offer.
pub const AUDIO_LEVEL: u8 = 1;
/// The number of the transport-wide sequence number extension in offers with feedback.
pub const TRANSPORT_NUMBER: u8 = 3;
pub const OPUS: u8 = 111;
pub const RED: u8 = 63;
/// The numbers of a client that reads RED.
pub const ITS_RED: u8 = 50;
pub const ITS_OPUS: u8 = 51;
pub const VP8: u8 = 96;

/// An offer with these sections; the mid of each is its index.
pub fn offer(credentials: &Credentials, sections: &[Section]) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n",
        mids.join(" ")
    );
    for (mid, section) in sections.iter().enumerate() {
        let (media, direction, ssrc) = match section {
            Section::SendAudio(ssrc) => ("audio", "sendonly", Some(ssrc)),
            Section::SendVideo(ssrc) => ("video", "sendonly", Some(ssrc)),
            Section::SendSimulcast(_) => ("video", "sendonly", None),
            Section::ReceiveAudio => ("audio", "recvonly", None),
            Section::SendRed(ssrc) => ("audio", "sendonly", Some(ssrc)),
            Section::ReceiveRed => ("audio", "recvonly", None),
            Section::ReceiveVideo | Section::ReceiveVideoWithFeedback => {
                ("video", "recvonly", None)
            }
        };
        let (red, opus) = match section {
            Section::ReceiveRed => (Some(ITS_RED), ITS_OPUS),
            Section::SendRed(_) => (Some(RED), OPUS),
            _ => (None, OPUS),
        };
        let red_format = red.map(|red| format!(" {red}")).unwrap_or_default();
        let red_lines = red
            .map(|red| format!("a=rtpmap:{red} red/48000/2\r\na=fmtp:{red} {opus}/{opus}\r\n"))
            .unwrap_or_default();
        let codecs = match media {
            "audio" => format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF{red_format} {opus}\r\na=rtpmap:{opus} opus/48000/2\r\n{red_lines}\
                 a=extmap:{AUDIO_LEVEL} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
            ),
            _ => format!(
                "m=video 9 UDP/TLS/RTP/SAVPF {VP8} 97\r\na=rtpmap:{VP8} VP8/90000\r\n\
                 a=rtcp-fb:{VP8} nack\r\na=rtcp-fb:{VP8} nack pli\r\n\
                 a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt={VP8}\r\n"
            ),
        };
        text += &codecs;
        if matches!(section, Section::ReceiveVideoWithFeedback) {
            text += &format!(
                "a=rtcp-fb:{VP8} transport-cc\r\na=extmap:{TRANSPORT_NUMBER} \
                 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
            );
        }
        text += &format!(
            "c=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
             a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\n\
             a=fingerprint:sha-256 {}\r\n",
            credentials.fingerprint
        );
        if let Some(ssrc) = ssrc {
            text += &format!("a=ssrc:{ssrc} cname:client\r\n");
        }
        if let Section::SendSimulcast([low, high]) = section {
            text += &format!(
                "a=ssrc-group:SIM {low} {high}\r\na=ssrc:{low} cname:client\r\n\
                 a=ssrc:{high} cname:client\r\n"
            );
        }
    }
    text
}
