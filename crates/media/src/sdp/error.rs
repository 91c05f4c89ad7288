//! Why an offer cannot be answered, each in a sentence that says what to do. It never quotes more of a
//! stranger's text than a checked mid.

/// Why an offer cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OfferError {
    /// More bytes than the limit.
    #[error("the offer has more than {limit} bytes: offer fewer sections, or fewer codecs in each")]
    TooLarge { limit: usize },
    /// It does not begin with `v=0`.
    #[error(
        "this is no SDP: send the text of RTCSessionDescription.sdp, which begins with \"v=0\""
    )]
    NotSdp,
    /// An m-line without media, port, protocol and format.
    #[error("m-line {number} is broken: it needs media, port, protocol and at least one format")]
    BrokenMediaLine { number: usize },
    /// More m-lines than the limit.
    #[error("the offer has more than {limit} media sections: reuse those of stopped transceivers")]
    TooManySections { limit: usize },
    /// More `a=ssrc` lines than the limit.
    #[error("the offer has more than {limit} a=ssrc lines: publish fewer tracks or layers")]
    TooManySsrcLines { limit: usize },
    /// More candidates in a section than the limit.
    #[error("a section of the offer has more than {limit} candidates: send the offer without them")]
    TooManyCandidates { limit: usize },
    /// No `a=group:BUNDLE`.
    #[error(
        "the offer has no a=group:BUNDLE: all sections must share one transport, so offer with bundlePolicy \"max-bundle\""
    )]
    NoBundle,
    /// Every section is rejected or outside of the BUNDLE group.
    #[error(
        "the offer has no section that could be used: offer at least one with a port, in the BUNDLE group"
    )]
    NothingOffered,
    /// A section in use has no `a=mid`.
    #[error("m-line {number} has no a=mid: give every section one")]
    NoMid { number: usize },
    /// A mid that is too long or has characters that a token has not.
    #[error(
        "the mid of m-line {number} is invalid: use at most 16 letters, digits or token characters"
    )]
    InvalidMid { number: usize },
    /// Two sections with one mid.
    #[error("the mid {mid:?} is there twice: give each section its own")]
    DuplicateMid { mid: String },
    /// A section in use has no `a=rtcp-mux`.
    #[error(
        "the section {mid:?} has no a=rtcp-mux: RTP and RTCP must share a port (rtcpMuxPolicy \"require\")"
    )]
    NoRtcpMux { mid: String },
    /// No `a=ice-ufrag` or no `a=ice-pwd`.
    #[error(
        "the offer has no a=ice-ufrag and a=ice-pwd: offer what RTCPeerConnection.createOffer() gave"
    )]
    NoIceCredentials,
    /// RFC 8839: 4 to 256 letters, digits, `+` and `/`.
    #[error("a=ice-ufrag is invalid: it has 4 to 256 letters, digits, '+' or '/'")]
    InvalidIceUfrag,
    /// RFC 8839: 22 to 256 letters, digits, `+` and `/`.
    #[error("a=ice-pwd is invalid: it has 22 to 256 letters, digits, '+' or '/'")]
    InvalidIcePwd,
    /// The client is ICE-lite, as the server is: nobody would check.
    #[error(
        "the offer has a=ice-lite: the server is ICE-lite itself, so the client must be a full ICE agent"
    )]
    IceLite,
    /// No `a=fingerprint`.
    #[error(
        "the offer has no a=fingerprint: media is encrypted with DTLS-SRTP, so a certificate is needed"
    )]
    NoFingerprint,
    /// Only fingerprints of functions that are not accepted.
    #[error("no a=fingerprint is of an accepted function: use sha-256, sha-384 or sha-512")]
    UnsupportedFingerprint,
    /// Not hexadecimal pairs with colons, or not as many as the function gives.
    #[error(
        "a=fingerprint is broken: it is hexadecimal pairs with colons, as many as the function gives bytes"
    )]
    InvalidFingerprint,
    /// `a=setup:passive` or `holdconn`.
    #[error("a=setup must be actpass or active: the server is always the passive side of DTLS")]
    SetupNotActive,
}
